"""Sound files of a known format that no decoder here reads: which kind they are, so that nobody looks for damage."""

from io import BytesIO

from PIL import TiffImagePlugin

from .claims.jpeg import FRAMES, segments
from .claims.tally import Tally

_JPEG = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical",
    0xCB: "lossless",
    0xCD: "hierarchical",
    0xCE: "hierarchical",
    0xCF: "hierarchical",
}
_SCAN = 0xDA
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _FORMAT = 258, 259, 262, 277, 339
_COMPRESSIONS = {34_712: "JPEG 2000", 34_887: "LERC", 50_001: "WebP", 50_002: "JPEG XL"}  # which libtiff does not read
_MOST_BITS, _MOST_SAMPLES = 64, 16
_NEEDED = {256, 257}
_COLORS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "Lab", 10: "Lab"}
_NUMBERS = {2: " with a sign", 3: " of floating point", 5: " of complex numbers", 6: " of complex numbers"}


def kind_unread(source: bytes, form: str, *, opened: bool) -> str | None:
    """Return what is said of a file that could not be read, when it is of a kind that nothing here reads.

    `opened` says that its header could be.
    """
    if form == "JPEG":
        return _jpeg(source)
    if form == "HEIC" and b"moov" in source and b"pitm" not in source:  # a film, and no item that is the picture
        return "HEIC files that hold only a sequence of images, and no picture, cannot be marked."
    return _tiff(source, opened=opened) if form == "TIFF" else None


def _jpeg(source: bytes) -> str | None:
    for marker, begins, _ in segments(source, Tally()):
        if marker == _SCAN:
            break
        if marker in FRAMES and begins < len(source):
            bits = source[begins]
            kind = _JPEG.get(marker) or (f"of {bits} bits" if bits in {12, 16} else None)
            return f"JPEG images that are {kind} cannot be read." if kind else None
    return None


def _tiff(source: bytes, *, opened: bool) -> str | None:
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(source[: 16 if source[2:3] == b"+" else 8])
        file = BytesIO(source)
        file.seek(tags.next)
        tags.load(file)
        found = {tag: tags.get(tag) for tag in (*_NEEDED, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _FORMAT)}
    except Exception:  # Pillow raises nearly anything for a damaged directory
        return None
    if not all(isinstance(found[tag], int) for tag in _NEEDED):
        return None
    compression = found[_COMPRESSION] or 1
    if compression not in TiffImagePlugin.COMPRESSION_INFO or compression in _COMPRESSIONS:
        name = _COMPRESSIONS.get(compression)
        return f"TIFF images compressed {f'as {name}' if name else f'in way {compression}'} cannot be read."
    bits, numbers = _first(found[_BITS]) or 1, _NUMBERS.get(_first(found[_FORMAT]) or 1, "")
    color = _COLORS.get(_first(found[_PHOTOMETRIC]) or 0, "unusual")
    samples = _first(found[_SAMPLES]) or 1
    if opened or bits > _MOST_BITS or samples > _MOST_SAMPLES or bits == samples == 1:  # that is damage
        return None
    return f"TIFF images in {color} colours with {samples} samples of {bits} bits{numbers} each cannot be read."


def _first(value: object) -> int | None:
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else None
