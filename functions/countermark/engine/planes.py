"""TIFF pages that hold each colour by itself: each is read as a picture in grey.

Pillow reads such pages only where all else is as usual: it takes the first letter of how samples lie for the first
colour, and the second one for the next.
"""

import struct
from collections.abc import Iterator
from io import BytesIO
from itertools import islice

from PIL import Image, ImageFile

from .errors import UnsupportedFormat
from .metadata.structure import LONG, UNDEFINED, Directory, Value, short, write_directory

_BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _EXTRA, _TABLES, _SAMPLING = 258, 262, 277, 284, 338, 347, 530  # tags
_KEPT = (256, 257, 259, 266, 274, 278, 317, 322, 323)  # of sizes, compression and the order of bits and pixels
_STRIPS, _TILES = (273, 279), (324, 325)  # where they are, and how long
_YCBCR, _SEPARATE, _ASSOCIATED = 6, 2, 1  # values of the second, the fourth and the fifth
_MULTIPLIED = {"RGBA": "RGBa", "LA": "La"}
_MERGED = {"LA", "La", "RGB", "RGBA", "CMYK", "LAB", "YCbCr"}
_UNREAD = "This TIFF image holds each colour by itself in a way that cannot be read."


def are_separate(page: Image.Image) -> bool:
    """Tell whether a page of a TIFF file, of which nothing is decoded, holds each colour by itself.

    One of a single sample does not, whatever its file says; it is then read so.
    """
    tags = page.tag_v2  # type: ignore[attr-defined]
    if tags.get(_PLANAR) != _SEPARATE:
        return False
    if tags.get(_SAMPLES, 1) > 1:
        return True
    tags[_PLANAR] = 1
    page._setup()  # type: ignore[attr-defined]
    return False


def read_planes(page: Image.Image) -> list[Image.Image]:
    """Return the colours of a page that holds each by itself, as pictures in grey."""
    # A copy lets go of the file that it was read from, which is as large as the page's own.
    return [Image.open(BytesIO(file), formats=["TIFF"]).copy() for file in islice(_files(page), len(page.getbands()))]


def merged(page: Image.Image) -> Image.Image:
    """Return a page of 8 bits that holds each colour by itself as one picture."""
    if len(page.getbands()) == 1:  # and others that nobody knows
        return page
    tags = page.tag_v2  # type: ignore[attr-defined]
    mode = "YCbCr" if tags.get(_PHOTOMETRIC) == _YCBCR else page.mode
    if mode not in _MERGED or (mode == "YCbCr" and tags.get(_SAMPLING) != (1, 1)):
        raise UnsupportedFormat(_UNREAD)
    found = read_planes(page)
    if mode == "LAB":  # two of which have signs
        found[1:] = [each.point(lambda value: value ^ 128) for each in found[1:]]
    multiplied = tags.get(_EXTRA, ())[:1] == (_ASSOCIATED,)
    return Image.merge(_MULTIPLIED.get(mode, mode) if multiplied else mode, found)


def _files(page: Image.Image) -> Iterator[bytes]:
    """Yield a TIFF file for each colour: all of the page's own file, behind it a directory for this colour."""
    assert isinstance(page, ImageFile.ImageFile)  # noqa: S101 - it is a page of a file
    assert isinstance(page.fp, BytesIO)  # noqa: S101
    data, tags = page.fp.getbuffer(), page.tag_v2  # type: ignore[attr-defined]
    order = "<" if tags.prefix == b"II" else ">"
    where = _TILES if _TILES[0] in tags else _STRIPS
    lists, count = [tags.get(tag, ()) for tag in where], tags[_SAMPLES]
    if not lists[0] or len(lists[0]) != len(lists[1]) or len(lists[0]) % count:
        raise UnsupportedFormat(_UNREAD)
    own: Directory = {tag: _longs(order, [tags[tag]]) for tag in _KEPT if tag in tags}
    own[_PHOTOMETRIC] = own[_SAMPLES] = short(order, 1)
    own[_BITS] = short(order, tags[_BITS][0])
    if tables := tags.get(_TABLES):
        own[_TABLES] = Value(UNDEFINED, len(tables), tables)
    end, size = len(data) + len(data) % 2, len(lists[0]) // count
    for first in range(0, len(lists[0]), size):
        own |= {tag: _longs(order, each[first : first + size]) for tag, each in zip(where, lists, strict=True)}
        begins, directory = write_directory(order, own, at=end)
        head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", begins)
        yield b"".join((head, data[len(head) :], bytes(end - len(data)), directory))


def _longs(order: str, numbers: "list[int] | tuple[int, ...]") -> Value:
    return Value(LONG, len(numbers), struct.pack(f"{order}{len(numbers)}I", *numbers))
