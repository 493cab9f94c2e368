"""The notes of a camera's maker: kept as they are when nothing in them is a picture, or says where it was taken.

There is no free reader of all makers' notes. So this knows how those of the usual makers are laid out, which of their
tags are previews and which are places, and drops the notes of all others: nobody knows what is in them. For the same
reason large values are blank, and large gaps: what cameras measure for their own programs looks like anything.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from .signs import holds_picture
from .structure import SIZES

_ENTRY = 12
_MOST_ENTRIES = 1000
_DIRECTORY = 13  # kind of a value that is another directory
#: Bytes that a value may have, and what is between values: those of a picture so small that it shows nothing.
_LARGEST_VALUE = 3 * 32 * 32
#: Bytes that notes may take when they are packed: those of cameras take less, and pictures do not pack.
_MOST_SAID = 6000
_LARGE = re.compile(rb"\0{%d,}" % (_LARGEST_VALUE + 1))


class _Maker(NamedTuple):
    """How the notes of a maker begin and what is in them."""

    head: bytes
    directory: int  # where the directory begins
    order: str = ""  # "" is that of the block
    own: bool = False  # offsets count from the notes and not from the block
    previews: frozenset[int] = frozenset()
    places: frozenset[int] = frozenset()


def _tags(*tags: int) -> frozenset[int]:
    return frozenset(tags)


_OLYMPUS = _tags(0x0001, 0x0040, 0x0081, 0x0088, 0x0089, 0x0100, 0x0280, 0x0F00)
_PENTAX, _PENTAX_PLACES = _tags(0x0002, 0x0003, 0x0004), _tags(0x0023, 0x0024)
_MAKERS = (
    _Maker(b"Nikon\0\2", 18, own=True, previews=_tags(0x0011), places=_tags(0x0039)),
    _Maker(b"Nikon\0\1", 8),
    _Maker(b"OLYMPUS\0II", 12, order="<", own=True, previews=_OLYMPUS),
    _Maker(b"OLYMPUS\0MM", 12, order=">", own=True, previews=_OLYMPUS),
    _Maker(b"OM SYSTEM\0\0\0II", 16, order="<", own=True, previews=_OLYMPUS),
    _Maker(b"OLYMP\0", 8, previews=_OLYMPUS),
    _Maker(b"SONY DSC \0\0\0", 12, previews=_tags(0x2001)),
    _Maker(b"SONY CAM \0\0\0", 12, previews=_tags(0x2001)),
    _Maker(b"Panasonic\0\0\0", 12, places=_tags(0x0067, 0x0069, 0x006B, 0x006D, 0x006F)),
    _Maker(b"FUJIFILM", 12, order="<", own=True),
    _Maker(b"AOC\0II", 6, order="<", previews=_PENTAX, places=_PENTAX_PLACES),
    _Maker(b"AOC\0MM", 6, order=">", previews=_PENTAX, places=_PENTAX_PLACES),
    _Maker(b"AOC\0", 6, previews=_PENTAX, places=_PENTAX_PLACES),
    _Maker(b"PENTAX \0II", 10, order="<", own=True, previews=_PENTAX, places=_PENTAX_PLACES),
    _Maker(b"PENTAX \0MM", 10, order=">", own=True, previews=_PENTAX, places=_PENTAX_PLACES),
    _Maker(b"QVC\0", 6, order=">", previews=_tags(0x0004, 0x2000)),
    _Maker(b"Apple iOS\0\0\1MM", 14, order=">", own=True),
    _Maker(b"SIGMA\0\0\0", 10),
    _Maker(b"FOVEON\0\0", 10),
)
#: Makers whose notes are a directory without a head.
_BARE = {
    "canon": _Maker(b"", 0),
    "samsung": _Maker(b"", 0, own=True, previews=_tags(0x0035), places=_tags(0x0030, 0x0031)),
    "minolta": _Maker(b"", 0, previews=_tags(0x0081, 0x0088, 0x0089)),
    "konica": _Maker(b"", 0, previews=_tags(0x0081, 0x0088, 0x0089)),
    "casio": _Maker(b"", 0, previews=_tags(0x0004, 0x2000)),
}


def kept(notes: bytes, at: int, order: str, make: str, *, places: bool) -> bytes:
    """Return the notes that stood at `at` of a block, or nothing; without `places` those in them are blank."""
    maker = _maker(notes, make)
    if maker is None or holds_picture(notes, tiff=False):  # Nikon's begin with the head of a TIFF structure
        return b""
    if maker.head == b"Nikon\0\2":
        order = ">" if notes[10:12] == b"MM" else "<"
    checked = _checked(notes, at, maker, maker.order or order, places=places)
    return checked if len(zlib.compress(checked, 1)) <= _MOST_SAID else b""


def _maker(notes: bytes, make: str) -> _Maker | None:
    for maker in _MAKERS:
        if notes.startswith(maker.head):
            return maker
    return next((maker for name, maker in _BARE.items() if make.lower().startswith(name)), None)


def _checked(notes: bytes, at: int, maker: _Maker, order: str, *, places: bool) -> bytes:
    """Return the notes without places and large values; nothing when a tag is a preview, or one cannot be found."""
    first = maker.directory
    # Programs that write a block in another byte order leave the notes in theirs.
    orders = [each for each in (order, "<" if order == ">" else ">") if _fits(notes, first, each)]
    if not orders:
        return b""
    base = (10 if maker.head.startswith(b"Nikon") else 0) if maker.own else -at
    result, small = bytearray(notes), bytearray(len(notes))
    for tag, begins, length in _values(notes, first, base, orders[0], small):
        if tag in maker.previews and length > 4:
            return b""
        inside = 0 <= begins <= begins + length <= len(notes)
        if inside and length <= _LARGEST_VALUE:
            small[begins : begins + length] = b"\1" * length
        if places or tag not in maker.places:
            continue
        if not inside:
            return b""
        result[begins : begins + length] = bytes(length)
    for large in _LARGE.finditer(small):
        result[large.start() : large.end()] = bytes(len(large[0]))
    return bytes(result) if places or not _says_place(notes) else b""


def _values(notes: bytes, first: int, base: int, order: str, seen: bytearray) -> Iterator[tuple[int, int, int]]:
    """Yield tag, begin and length of each value, also of directories in the first one; mark the directories as seen."""
    waiting = [first]
    while waiting:
        at = waiting.pop()
        if at < 0 or seen[at : at + 1] != b"\0" or not _fits(notes, at, order):
            continue
        end = at + 2 + _count(notes, at, order) * _ENTRY
        seen[at:end] = b"\1" * (end - at)
        for place in range(at + 2, end, _ENTRY):
            tag, kind, values, offset = struct.unpack_from(order + "HHII", notes, place)
            length = SIZES.get(kind, 1) * values
            if kind == _DIRECTORY:
                waiting.append(base + offset)
            elif at == first:
                yield tag, place + 8 if length <= 4 else base + offset, length
            elif length > 4:
                yield 0, base + offset, length  # the tags of other directories are others


def _count(notes: bytes, at: int, order: str) -> int:
    """Return how many entries the directory at `at` says to have."""
    return int(struct.unpack_from(order + "H", notes, at)[0]) if at + 2 <= len(notes) else 0


def _fits(notes: bytes, at: int, order: str) -> bool:
    count = _count(notes, at, order)
    return 0 < count <= _MOST_ENTRIES and at + 2 + count * _ENTRY <= len(notes)


def _says_place(notes: bytes) -> bool:
    """Tell whether notes name a position in words, as some phones' do."""
    lowered = notes.lower()
    return any(word in lowered for word in (b"latitude", b"longitude", b"gpsl", b'"gps', b"g\0p\0s\0"))
