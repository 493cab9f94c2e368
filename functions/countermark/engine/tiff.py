"""TIFF files written in their source's compression, and pages of 16 bits, which Pillow writes as bytes of grey."""

import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from .deep import Deep, Frame
from .metadata.structure import LONG, SHORT, Block, Directory, Value
from .metadata.tiff import put_pages

#: Compression of a source -> that of its copy; of any other, as it cannot be written or holds no greys, the usual one.
_WRITTEN = {
    "raw": "raw",
    "packbits": "packbits",
    "tiff_lzw": "tiff_lzw",
    "lzma": "lzma",
    "zstd": "zstd",
    "jpeg": "jpeg",
    "tiff_jpeg": "jpeg",
}
_USUAL = "tiff_adobe_deflate"
_OF_OTHERS = "tiff_lzw"  # of a source that is no TIFF file
_PREDICTED = {"tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd"}
_WIDTH, _BITS, _PHOTOMETRIC, _SAMPLES, _PREDICTOR, _EXTRA = 256, 258, 262, 277, 317, 338
_HEAD = 8  # bytes before the first page can begin
_TABLES, _OFFSETS = 347, (273, 324)
_DIFFERENCES = 2  # kind of predictor
_COLORS = {"L": 1, "LA": 1, "RGB": 2, "RGBA": 2, "CMYK": 5}
_RGB = 2  # of photometric interpretations
_ALPHA = 2  # kind of extra sample: not multiplied into the colours
_JPEG_QUALITY = 90  # where it cannot be told
_LUMINANCE_MEAN = 57.625  # of the table that quality 50 stands for


@dataclass(frozen=True)
class Style:
    """How the pages of a file are written."""

    compression: str = _OF_OTHERS  # as Pillow calls it
    predicted: bool = True
    quality: int = _JPEG_QUALITY  # of JPEG
    ycbcr: bool = True  # whether JPEG holds red, green and blue so

    @property
    def loses(self) -> bool:
        """Whether pixels change a little."""
        return self.compression == "jpeg"


def style_of(image: Image.Image, source: bytes) -> Style:
    """Return the style of a TIFF file that has been opened."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    compression = _WRITTEN.get(str(image.info.get("compression")), _USUAL)
    predicted = compression in _PREDICTED and tags.get(_PREDICTOR, 1) == _DIFFERENCES
    quality = _quality_of(tags, source) if compression == "jpeg" else _JPEG_QUALITY
    return Style(compression, predicted, quality, ycbcr=tags.get(_PHOTOMETRIC) != _RGB)


def _quality_of(tags: Any, source: bytes) -> int:
    """Return the quality of JPEG data by the first of their tables."""
    data = tags.get(_TABLES) or b""
    if b"\xff\xdb" not in data:
        first = next((tags[each][0] for each in _OFFSETS if tags.get(each)), 0)
        data = source[first : first + 4096]
    at = data.find(b"\xff\xdb") + 5
    if at < 5 or len(data) < at + 64 or data[at - 1] >= 16:
        return _JPEG_QUALITY
    scale = 100 * sum(data[at : at + 64]) / 64 / _LUMINANCE_MEAN
    return round(min(max(5000 / scale if scale > 100 else (200 - scale) / 2, 1), 100))


def write_tiff(frames: Sequence[Frame], style: Style, settings: dict[str, Any]) -> bytes:
    """Return the pages as a TIFF file with the metadata of `settings`, which are those of Pillow's writer.

    Raises what Pillow's writer raises.
    """
    compression = style.compression
    if compression == "jpeg" and any(isinstance(each, Deep) or each.mode not in {"L", "RGB"} for each in frames):
        compression = _USUAL
    raw = compression == "raw"
    settings = settings | {"compression": None if raw else compression}
    if compression == "jpeg":
        settings["quality"] = style.quality
    deep = [each for each in frames if isinstance(each, Deep)]
    plain = not deep and frames[0].mode != "P"  # differences of places in a palette say nothing
    if style.predicted and compression in _PREDICTED and plain:
        settings["tiffinfo"] = {_PREDICTOR: _DIFFERENCES}
    predicted = compression in _PREDICTED  # differences of deep samples are half as long
    pages = [_page(each, predicted=predicted, raw=raw) for each in frames]
    if compression == "jpeg" and style.ycbcr:
        pages = [each.convert("YCbCr") if each.mode == "RGB" else each for each in pages]
    buffer = BytesIO()
    if len(pages) > 1:
        settings |= {"save_all": True, "append_images": pages[1:]}
    pages[0].save(buffer, "TIFF", **settings)
    data = _without_heads(buffer.getvalue()) if len(pages) > 1 else buffer.getvalue()
    if not deep:
        return data
    order = "<" if data.startswith(b"II") else ">"
    return put_pages(data, [_layout(each, order, predicted=predicted) for each in frames])


def _without_heads(data: bytes) -> bytes:
    """Return a TIFF file without the heads of its further pages, which Pillow writes like files of their own.

    Nobody reads them in their place, but they look like pictures within the picture.
    """
    pages = set(Block(data).chain())
    changed, order = bytearray(data), Block(data).order
    at = data.find(data[:4], _HEAD)
    while 0 <= at <= len(data) - _HEAD:
        if at + struct.unpack_from(order + "I", data, at + 4)[0] in pages:
            changed[at : at + _HEAD] = bytes(_HEAD)
        at = data.find(data[:4], at + 1)
    return bytes(changed)


def _page(frame: Frame, *, predicted: bool, raw: bool) -> Image.Image:
    """Return what Pillow is to write for a page."""
    if not isinstance(frame, Deep):
        return frame
    samples = frame.samples
    if predicted:
        samples = samples.copy()
        samples[:, 1:] -= frame.samples[:, :-1]
    if raw or sys.byteorder == "little":  # what Pillow writes by itself is so on every machine
        samples = samples.astype("<u2", copy=False)
    height, width, bands = samples.shape
    return Image.frombytes("L", (2 * width * bands, height), np.ascontiguousarray(samples).tobytes())


def _layout(frame: Frame, order: str, *, predicted: bool) -> Directory:
    """Return the tags that make a page of 16 bits of what Pillow wrote for it."""
    if not isinstance(frame, Deep):
        return {}
    bands = frame.samples.shape[2]
    tags: Directory = {
        _WIDTH: Value(LONG, 1, struct.pack(order + "I", frame.width)),
        _BITS: Value(SHORT, bands, struct.pack(f"{order}{bands}H", *[16] * bands)),
        _PHOTOMETRIC: Value(SHORT, 1, struct.pack(order + "H", _COLORS[frame.mode])),
        _SAMPLES: Value(SHORT, 1, struct.pack(order + "H", bands)),
    }
    if predicted:
        tags[_PREDICTOR] = Value(SHORT, 1, struct.pack(order + "H", _DIFFERENCES))
    if frame.has_alpha:
        tags[_EXTRA] = Value(SHORT, 1, struct.pack(order + "H", _ALPHA))
    return tags
