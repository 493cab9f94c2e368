"""TIFF files: the metadata of the first page, and the same put into a finished file.

Pillow's writer, and libtiff under it, refuse many tags, or a compression beside them. So the picture is written without
metadata, and the directory of its first page is written again behind it, with what belongs there.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from PIL.ExifTags import Base

from .structure import BYTE, UNDEFINED, Block, Directory, Value, reordered, write_directory

XMP, IPTC, PHOTOSHOP = Base.XMLPacket, Base.IPTCNAA, Base.ImageResources
_LARGEST = 2_000_000  # bytes of a tag


@dataclass
class Page:
    """What the first page says beside its EXIF."""

    xmp: bytes = b""
    iptc: bytes = b""
    photoshop: bytes = b""


def read_page(source: bytes) -> Page:
    """Return the blocks in the first directory of a TIFF file."""
    block, found = Block(source), {}
    for entry in block.entries(block.first):
        if entry.tag in {XMP, IPTC, PHOTOSHOP} and entry.length <= _LARGEST and (value := block.value(entry)):
            found[entry.tag] = value.data
    return Page(xmp=found.get(XMP, b""), iptc=found.get(IPTC, b""), photoshop=found.get(PHOTOSHOP, b""))


def put_pages(data: bytes, pages: Sequence[Directory]) -> bytes:
    """Return the TIFF file `data` in which the tags of each of `pages` stand in the place of those of its page."""
    block = Block(data)
    parts, end, link = [], len(data) + len(data) % 2, 0
    for place, tags in reversed(list(zip(block.chain(), pages, strict=True))):
        link, directory = write_directory(block.order, {**block.values(place), **tags}, at=end, link=link)
        parts.append(directory + bytes(len(directory) % 2))
        end += len(parts[-1])
    head = data[:4] + struct.pack(block.order + "I", link)
    return b"".join((head, memoryview(data)[8:], bytes(len(data) % 2), *parts))


def put_page(data: bytes, order: str, tags: Directory, page: Page) -> bytes:
    """Return the TIFF file `data` whose first page says all this as well; `order` is the byte order of `tags`."""
    block = Block(data)
    added = dict(reordered(tags, order, block.order))
    for tag, kind, content in (
        (XMP, BYTE, page.xmp),
        (IPTC, UNDEFINED, page.iptc),
        (PHOTOSHOP, BYTE, page.photoshop),
    ):
        if content:
            added[tag] = Value(kind, len(content), content)
    if not added:
        return data
    at = len(data) + len(data) % 2
    all_tags = {**added, **block.values(block.first)}
    begins, directory = write_directory(block.order, all_tags, at=at, link=block.behind(block.first))
    head = data[:4] + struct.pack(block.order + "I", begins)
    return b"".join((head, memoryview(data)[8:], bytes(at - len(data)), directory))
