"""HEIC and AVIF: items, each a picture or made of others, and tracks of frames."""

import struct
from contextlib import suppress
from dataclasses import dataclass, field

from ..errors import DamagedImage
from .boxes import boxes
from .coded import note_av1, note_hevc, note_parameters
from .tally import Tally
from .tiff import read_directory

_MADE_OF_OTHERS = {b"grid", b"iovl", b"iden", b"tili"}
#: A picture's tiles reach over its edges; more than so many times its pixels are not decoded for it.
_TILED = 4


@dataclass
class _Item:
    """An item of a file."""

    kind: bytes = b""
    size: tuple[int, int] = (0, 0)
    places: list[tuple[int, int]] = field(default_factory=list)  # begin and end of its data
    parts: list[int] = field(default_factory=list)  # items that it is made of


@dataclass
class _File:
    """What the boxes of a file say."""

    tally: Tally
    primary: int = 0
    properties: list[tuple[bytes, int, int]] = field(default_factory=list)
    items: dict[int, _Item] = field(default_factory=dict)
    inner: int = 0  # where the data begins that lies in the boxes themselves
    tracks: list[tuple[int, int]] = field(default_factory=list)  # sizes of frames
    frames: int = 0  # of the longest track
    chunks: list[int] = field(default_factory=list)  # where a track's data begins

    def item(self, number: int) -> _Item:
        """Return the item of a number."""
        return self.items.setdefault(number, _Item())


def read(source: bytes, tally: Tally) -> None:
    """Read the boxes of a HEIC or AVIF file, and the headers of the coded pictures that they point to."""
    file = _File(tally)
    found = list(boxes(source, 0, len(source), tally))
    file.inner = next((begins for kind, begins, _ in found if kind == b"idat"), 0)
    inside = -1  # the end of the box of properties
    for kind, begins, end in found:
        if kind == b"ipco":
            inside = end
        elif begins < inside:
            file.properties.append((kind, begins, end))
        if kind in _READERS:
            with suppress(struct.error, IndexError):
                _READERS[kind](source, begins, end, file)
    for kind, begins, end in file.properties:
        with suppress(struct.error, IndexError):
            _note_property(source, kind, begins, end, tally)
    for item in file.items.values():
        _note_data(source, item, tally)
    for at in file.chunks:
        with suppress(struct.error, IndexError):
            note_av1(source, at, len(source), tally)
    _note_pictures(file)


def _note_property(source: bytes, kind: bytes, begins: int, end: int, tally: Tally) -> None:
    if kind == b"ispe":
        tally.picture(*struct.unpack_from(">II", source, begins + 4))
    elif kind == b"av1C":
        note_av1(source, begins + 4, end, tally)
    elif kind == b"hvcC":
        at = begins + 23
        for _ in range(source[begins + 22]):
            (count,) = struct.unpack_from(">H", source, at + 1)
            at += 3
            for _ in range(count):
                (size,) = struct.unpack_from(">H", source, at)
                tally.part()
                note_parameters(source[at + 2 : min(at + 2 + size, end)], tally)
                at += 2 + size


def _note_data(source: bytes, item: _Item, tally: Tally) -> None:
    """Note what the data of an item says of itself."""
    for begins, end in item.places:
        with suppress(struct.error, IndexError):
            if item.kind == b"av01":
                note_av1(source, begins, end, tally)
            elif item.kind in {b"hvc1", b"hev1"}:
                note_hevc(source, begins, end, tally)
            elif item.kind == b"grid":
                wide, letters = (8, ">II") if source[begins + 1] & 1 else (4, ">HH")
                if begins + 4 + wide <= end:
                    tally.picture(*struct.unpack_from(letters, source, begins + 4))
            elif item.kind == b"Exif":
                (skipped,) = struct.unpack_from(">I", source, begins)
                read_directory(source[begins + 4 + skipped : end], tally)


def _note_pictures(file: _File) -> None:
    primary = file.items.get(file.primary, _Item())
    file.tally.frame(*primary.size, times=max(file.frames, 1))
    for width, height in file.tracks:
        file.tally.screen(width, height)
    for item in list(file.items.values()):
        if item.kind in _MADE_OF_OTHERS and item.parts:
            width, height = item.size
            others = sum(file.item(number).size[0] * file.item(number).size[1] for number in item.parts)
            if others > _TILED * max(width * height, 1_000_000):
                raise DamagedImage("The image is made of more parts than it has pixels for.")


def _read_primary(source: bytes, begins: int, _end: int, file: _File) -> None:
    file.primary = _number(source, begins + 4, 4 if source[begins] else 2)


def _read_entry(source: bytes, begins: int, end: int, file: _File) -> None:
    """Read the kinds of items."""
    at = begins + (8 if source[begins] else 6)
    while at + 12 <= end:
        (size,) = struct.unpack_from(">I", source, at)
        version = source[at + 8]
        wide = 4 if version >= 3 else 2
        file.tally.part()
        if size < 8:
            return
        if version >= 2:
            file.item(_number(source, at + 12, wide)).kind = source[at + 14 + wide : at + 18 + wide]
        at += size


def _read_places(source: bytes, begins: int, end: int, file: _File) -> None:
    """Read where the data of items lies."""
    version = source[begins]
    of_offset, of_length = source[begins + 4] >> 4, source[begins + 4] & 15
    of_base, of_index = source[begins + 5] >> 4, source[begins + 5] & 15 if version else 0
    wide = 4 if version == 2 else 2
    at = begins + 6 + wide
    for _ in range(_number(source, begins + 6, wide)):
        item = file.item(_number(source, at, wide))
        at += wide
        inner = version > 0 and source[at + 1] & 15 == 1
        at += 4 if version else 2
        base = _number(source, at, of_base) + (file.inner if inner else 0)
        at += of_base
        count = _number(source, at, 2)
        at += 2
        file.tally.part(count + 1)
        for _ in range(count):
            at += of_index
            offset, length = _number(source, at, of_offset), _number(source, at + of_offset, of_length)
            at += of_offset + of_length
            start = base + offset
            item.places.append((start, min(start + length, len(source)) if length else len(source)))
        if at > end:
            return


def _read_properties(source: bytes, begins: int, end: int, file: _File) -> None:
    """Read the sizes of items: which properties belong to which."""
    version, large = source[begins], source[begins + 3] & 1
    wide, at = 4 if version else 2, begins + 8
    for _ in range(_number(source, begins + 4, 4)):
        item = file.item(_number(source, at, wide))
        count = source[at + wide]
        at += wide + 1
        file.tally.part(count + 1)
        for _ in range(count):
            index = _number(source, at, 2) & 0x7FFF if large else source[at] & 0x7F
            at += 2 if large else 1
            if 1 <= index <= len(file.properties) and file.properties[index - 1][0] == b"ispe":
                item.size = struct.unpack_from(">II", source, file.properties[index - 1][1] + 4)
        if at > end:
            return


def _read_references(source: bytes, begins: int, end: int, file: _File) -> None:
    """Read which items are made of which."""
    wide = 4 if source[begins] else 2
    for kind, at, stop in boxes(source, begins + 4, end, file.tally):
        count = _number(source, at + wide, 2)
        if kind == b"dimg" and at + wide + 2 + count * wide <= stop:
            file.tally.part(count)
            numbers = struct.unpack_from(f">{count}{'I' if wide == 4 else 'H'}", source, at + wide + 2)
            file.item(_number(source, at, wide)).parts = list(numbers)


def _read_track(source: bytes, begins: int, end: int, file: _File) -> None:
    """Read what the frames of a track are like."""
    for _, at, stop in boxes(source, begins + 8, end, file.tally):
        file.tracks.append(struct.unpack_from(">HH", source, at + 24))
        for kind, inner, behind in boxes(source, at + 78, stop, file.tally):
            _note_property(source, kind, inner, behind, file.tally)


def _read_frames(source: bytes, begins: int, _end: int, file: _File) -> None:
    file.frames = max(file.frames, _number(source, begins + 8, 4))


def _read_chunks(source: bytes, begins: int, end: int, file: _File) -> None:
    count = _number(source, begins + 4, 4)
    file.tally.part(min(count, (end - begins) // 4))
    file.chunks += struct.unpack_from(f">{min(count, (end - begins - 8) // 4)}I", source, begins + 8)


def _number(source: bytes, at: int, size: int) -> int:
    if at + size > len(source):
        raise IndexError
    return int.from_bytes(source[at : at + size], "big")


_READERS = {
    b"pitm": _read_primary,
    b"iinf": _read_entry,
    b"iloc": _read_places,
    b"ipma": _read_properties,
    b"iref": _read_references,
    b"stsd": _read_track,
    b"stsz": _read_frames,
    b"stco": _read_chunks,
}
