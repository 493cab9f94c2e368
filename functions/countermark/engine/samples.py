"""Files whose samples are no numbers of 8 bits, as pictures of 16.

Pillow reads them all the same: it decodes a file twice, once for the high byte of every sample and once for the low
one, which it takes for the high one of a file in the other byte order. No decoder of our own is needed for that.
"""

import re
import sys
from collections.abc import Callable
from io import BytesIO
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

from .deep import WHITE, Deep, Samples, bands_of
from .planes import are_separate, read_planes
from .transparent import tell_transparent
from .turned import UPRIGHT

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_OTHER_ORDER = {"16L": "16B", "16B": "16L", "16N": "16B" if sys.byteorder == "little" else "16L"}
_BITS, _PHOTOMETRIC, _SAMPLES, _EXTRA, _SAMPLE_FORMAT = 258, 262, 277, 338, 339  # tags of TIFF
_ASSOCIATED, _SIGNED = 1, 2  # values of the last two
_ORDERED = re.compile(r";(16|32)[BLN]?")  # in the name of how samples lie
_TURNED: dict[Image.Transpose, Callable[[Samples], Samples]] = {
    Image.Transpose.FLIP_LEFT_RIGHT: lambda samples: samples[:, ::-1],
    Image.Transpose.ROTATE_180: lambda samples: samples[::-1, ::-1],
    Image.Transpose.FLIP_TOP_BOTTOM: lambda samples: samples[::-1],
    Image.Transpose.TRANSPOSE: lambda samples: samples.swapaxes(0, 1),
    Image.Transpose.ROTATE_270: lambda samples: np.rot90(samples, -1),
    Image.Transpose.TRANSVERSE: lambda samples: samples[::-1, ::-1].swapaxes(0, 1),
    Image.Transpose.ROTATE_90: np.rot90,
}
_PNG_BITS, _PNG_KIND = 24, 25  # where the header has them
_PNG_GREY_ALPHA = 4

# Pillow unpacks these in either byte order, but knows some of them in one alone, or only where black is zero.
TiffImagePlugin.OPEN_INFO.update(
    ((mark, white, (kind,), 1, (bits,), ()), (mode.format(order), raw.format(order)))
    for (mark, order), white, (kind, bits, mode, raw) in product(
        ((b"II", ""), (b"MM", "B")),
        (0, 1),
        (
            (1, 16, "I;16{}", "I;16{}"),
            (1, 32, "I", "I;32{}"),
            (_SIGNED, 8, "L", "L"),
            (_SIGNED, 16, "I", "I;16{}S"),
            (_SIGNED, 32, "I", "I;32{}S"),
        ),
    )
)
# Grey with alpha takes four bytes, as a pixel of RGBA does.
TiffImagePlugin.OPEN_INFO.update(
    ((mark, 1, (1,), 1, (16, 16), (extra,)), ("RGBA", "RGBA")) for mark, extra in product((b"II", b"MM"), (1, 2))
)


def is_deep(image: Image.Image) -> bool:
    """Tell whether a PNG or TIFF file, of which nothing has been decoded, has samples that are no numbers of 8 bits."""
    if not isinstance(image, ImageFile.ImageFile) or not isinstance(image.fp, BytesIO):
        return False
    if image.format == "PNG":
        return image.fp.getbuffer()[_PNG_BITS] == 16
    return image.format == "TIFF" and (image.mode[:1] in {"I", "F"} or _bits(image) == 16 or _kind(image) == _SIGNED)


def read_deep(image: Image.Image, orientation: int) -> tuple[Deep, bool] | None:
    """Return a picture whose samples are no numbers of 8 bits, upright, and whether its values were stretched.

    None for any other; `image` has been opened and nothing of it decoded. Values of another kind, those with a sign or
    of 32 bits, become 16 bits: numbers of floating point between 0 and 1 as they are, all others from the picture's
    least to its greatest.
    """
    if not is_deep(image):
        return None
    assert isinstance(image, ImageFile.ImageFile)  # noqa: S101 - is_deep looks
    assert isinstance(image.fp, BytesIO)  # noqa: S101
    data, stretched = image.fp.getvalue(), False
    if image.format == "PNG":
        found = _read_png(data, image)
    elif image.mode in {"I", "F"} or _kind(image) == _SIGNED:
        found, stretched = Deep(_stretched(image), "L"), True
    else:
        found = _read_tiff(data, image)
    if orientation in UPRIGHT:
        found.samples = np.ascontiguousarray(_TURNED[UPRIGHT[orientation]](found.samples))
    return found, stretched


def decoded(image: Image.Image) -> Image.Image:
    """Return the picture of a file, of which nothing has been decoded, in 8 bits, as it lies in the file."""
    tell_transparent(image)
    deep = read_deep(image, 1)
    if deep is not None:
        picture, _ = deep
        return picture.shallow()
    image.load()
    return image


def _raw(image: ImageFile.ImageFile) -> str:
    """Return the way that samples lie in the file, as Pillow calls it."""
    args = image.tile[0].args
    return str(args[0] if isinstance(args, tuple) else args)


def _bits(image: Image.Image) -> int:
    return int(image.tag_v2.get(_BITS, (1,))[0])  # type: ignore[attr-defined]


def _kind(image: Image.Image) -> int:
    """Return the kind of numbers that the samples are."""
    return int(image.tag_v2.get(_SAMPLE_FORMAT, (1,))[0])  # type: ignore[attr-defined]


def _read_png(data: bytes, image: ImageFile.ImageFile) -> Deep:
    if data[_PNG_KIND] == _PNG_GREY_ALPHA:  # a sample of each takes four bytes, as a pixel of RGBA does
        image._mode = "RGBA"
        image.tile = [each._replace(args="RGBA") for each in image.tile]
        wide = np.frombuffer(image.tobytes(), dtype=">u2").reshape(image.height, image.width, 2)
        return Deep(wide.astype(np.uint16), "LA")
    key = image.info.get("transparency")
    samples = _both_bytes(data, image)
    if key is not None:
        opaque = (samples != np.array(key, dtype=np.uint16)).any(axis=2, keepdims=True)
        samples = np.concatenate([samples, np.where(opaque, np.uint16(WHITE), np.uint16(0))], axis=2)
    return Deep(samples, _MODES[samples.shape[2]])


def _read_tiff(data: bytes, image: ImageFile.ImageFile) -> Deep:
    raw, mode = _raw(image), image.mode
    tags = image.tag_v2  # type: ignore[attr-defined]
    inverted, associated = tags.get(_PHOTOMETRIC) == 0, tuple(tags.get(_EXTRA, ()))[:1] == (_ASSOCIATED,)
    if mode.startswith("I;16"):
        mode = "L"
    elif tags.get(_SAMPLES) == 2:
        mode = "LA"
    if are_separate(image):
        samples = np.stack([np.asarray(each).astype(np.uint16) for each in read_planes(image)], axis=2)
    elif mode == "LA":
        order = "=" if image.tile[0].codec_name == "libtiff" else {b"II": "<", b"MM": ">"}[tags.prefix]
        wide = np.frombuffer(image.tobytes(), dtype=order + "u2").reshape(image.height, image.width, 2)
        samples = wide.astype(np.uint16)
    else:
        if associated:  # Pillow would divide by the alpha in 8 bits
            image.tile = [each._replace(args=_renamed(each.args, raw.replace("a", "A"))) for each in image.tile]
        samples = _both_bytes(data, image)
    if raw == "I;12":
        samples = (samples << 4 | samples >> 8).astype(np.uint16)
    if inverted:
        samples = WHITE - samples
    if associated:
        for band in bands_of(samples):
            share = np.maximum(band[..., -1:], 1) / np.float32(WHITE)
            band[..., :-1] = np.rint((band[..., :-1] / share).clip(0, WHITE))
    return Deep(samples, mode)


def _both_bytes(data: bytes, image: ImageFile.ImageFile) -> Samples:
    """Return all bits of the samples of the file `data`, of which `image` is a frame."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    again = Image.open(BytesIO(data), formats=[image.format or ""])
    assert isinstance(again, ImageFile.ImageFile)  # noqa: S101 - it is the same file
    if frame := image.tell():
        again.seek(frame)
    again.tile = [each._replace(args=_renamed(each.args, _other_order(_raw(image)))) for each in image.tile]
    samples: Samples = np.asarray(image).astype(np.uint16)
    samples <<= 8
    samples |= np.asarray(again)
    return samples


def _other_order(raw: str) -> str:
    """Return the name of samples in the other byte order."""
    return raw[:-3] + _OTHER_ORDER[raw[-3:]]


def _renamed(args: "tuple[Any, ...] | str | None", raw: str) -> "tuple[Any, ...] | str":
    """Return the arguments of a decoder for samples that lie in another way."""
    return (raw, *args[1:]) if isinstance(args, tuple) else raw


def _stretched(image: ImageFile.ImageFile) -> Samples:
    """Return values that are no numbers of 16 bits as such."""
    inverted = image.tag_v2.get(_PHOTOMETRIC) == 0  # type: ignore[attr-defined]
    if image.tile[0].codec_name == "libtiff":  # which gives numbers in this machine's order, whatever the file's is
        native = _ORDERED.sub(r";\1N", _raw(image))
        image.tile = [each._replace(args=_renamed(each.args, native)) for each in image.tile]
    values = np.asarray(image)
    if image.mode == "L":
        values = values.view(np.int8)
    elif image.mode == "I" and _kind(image) != _SIGNED:
        values = values.view(np.uint32)
    low, high = _range(values)
    if image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    samples = np.empty((*values.shape, 1), dtype=np.uint16)
    for band, stretched in zip(bands_of(values), bands_of(samples), strict=True):
        with np.errstate(invalid="ignore"):  # some of what is no number says so
            share = (band.astype(np.float64) - low) / max(high - low, np.finfo(np.float64).tiny)
        share = np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
        stretched[..., 0] = np.rint((1 - share if inverted else share) * WHITE)
    return samples


def _range(values: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the greatest value that is a number; 0 and 1 where none is."""
    numbers = (band[np.isfinite(band)] for band in bands_of(values))
    ends = [(float(each.min()), float(each.max())) for each in numbers if each.size]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 1.0)
