"""Photoshop's resources, by number: IPTC, the resolution and the owner's address; all others stay behind."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from . import iptc
from .exif import decoded
from .rights import Rights
from .signs import reads

IPTC, XMP = 0x0404, 0x0424
_RESOLUTION, _COPYRIGHTED, _ADDRESS = 0x03ED, 0x040A, 0x040B
_MOST = 500
_LONGEST_ADDRESS = 1000


class Resource(NamedTuple):
    """A resource and its number."""

    number: int
    data: bytes

    def __bytes__(self) -> bytes:
        """Return it as it stands in a block, without a name."""
        padding = b"\0" * (len(self.data) % 2)
        return b"8BIM" + struct.pack(">HHI", self.number, 0, len(self.data)) + self.data + padding


def resources(block: bytes) -> Iterator[Resource]:
    """Yield the resources of a block; stop where it is damaged."""
    at = 0
    for _ in range(_MOST):
        if block[at : at + 4] != b"8BIM" or at + 12 > len(block):
            return
        (number,) = struct.unpack_from(">H", block, at + 4)
        name_end = at + 6 + (block[at + 6] + 2) // 2 * 2
        if name_end + 4 > len(block):
            return
        (length,) = struct.unpack_from(">I", block, name_end)
        yield Resource(number, block[name_end + 4 : name_end + 4 + length])
        at = name_end + 4 + length + length % 2


def found(block: bytes, number: int) -> bytes:
    """Return the first resource of a number, empty when there is none."""
    return next((resource.data for resource in resources(block) if resource.number == number), b"")


def kept(block: bytes, texts: bytes, choice: str, *, rights: Rights) -> bytes:
    """Return the resources that a copy carries, with these IPTC data sets."""
    result = []
    if data := iptc.kept(texts, choice, rights=rights):
        result.append(Resource(IPTC, data))
    if choice != "none":
        result += [resource for resource in resources(block) if _may_stay(resource)]
    if rights.copyright:
        result = [each for each in result if each.number != _COPYRIGHTED] + [Resource(_COPYRIGHTED, b"\1")]
    return b"".join(map(bytes, result))


def _may_stay(resource: Resource) -> bool:
    if resource.number == _RESOLUTION:
        return len(resource.data) == 16
    if resource.number == _COPYRIGHTED:
        return len(resource.data) == 1
    return resource.number == _ADDRESS and reads(decoded(resource.data), _LONGEST_ADDRESS)
