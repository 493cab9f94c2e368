"""The structure that TIFF files and EXIF blocks share: directories of tagged values, read and written.

Reading takes only what it is asked for, each value once, so that no file makes it slow. Writing makes everything anew:
no byte of the source comes along that is not a value of a known tag.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias, Union

#: Kind of a value -> bytes of each number in it.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, UTF8 = 1, 2, 3, 4, 5, 7, 129
_LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
_ENTRY = 12
_MOST_ENTRIES = 1000
_HEAD = 8


class Value(NamedTuple):
    """The value of a tag, its bytes in the order of its block."""

    kind: int
    number: int  # of items
    data: bytes
    at: int = 0  # where it stood; only the notes of a camera's maker care


Directory: TypeAlias = dict[int, Union[Value, "Directory"]]


class Entry(NamedTuple):
    """An entry of a directory that has not been read yet."""

    tag: int
    kind: int
    number: int  # of values
    at: int
    length: int


class Block:
    """A TIFF structure to read from; what is damaged is not there."""

    def __init__(self, data: bytes) -> None:
        """Take the block from its byte order mark on."""
        self._data = data
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4], "")

    @property
    def first(self) -> int:
        """Where the first directory begins; 0 when there is none."""
        return self._long(4) if self.order else 0

    def entries(self, at: int) -> Iterator[Entry]:
        """Yield what stands in the directory at `at`."""
        if not self.order or not _HEAD <= at <= len(self._data) - 2:
            return
        (count,) = struct.unpack_from(self.order + "H", self._data, at)
        count = min(count, (len(self._data) - at - 2) // _ENTRY, _MOST_ENTRIES)
        for place in range(at + 2, at + 2 + count * _ENTRY, _ENTRY):
            tag, kind, values, offset = struct.unpack_from(self.order + "HHII", self._data, place)
            length = SIZES.get(kind, 0) * values
            yield Entry(tag, kind, values, place + 8 if length <= 4 else offset, length)

    def value(self, entry: Entry) -> Value | None:
        """Return the value of an entry; None when it is not in the block."""
        if not entry.length or entry.at < _HEAD or entry.at + entry.length > len(self._data):
            return None
        return Value(entry.kind, entry.number, bytes(self._data[entry.at : entry.at + entry.length]), entry.at)

    def values(self, at: int) -> dict[int, Value]:
        """Return the values of the directory at `at` by their tags."""
        return {entry.tag: value for entry in self.entries(at) if (value := self.value(entry))}

    def number(self, value: Value) -> int:
        """Return the first number of a value; 0 when it is no whole one."""
        letter = _LETTERS.get(value.kind)
        return int(struct.unpack_from(self.order + letter, value.data)[0]) if letter else 0

    def behind(self, at: int) -> int:
        """Return where the directory is that follows the one at `at`; 0 when none does."""
        (count,) = struct.unpack_from(self.order + "H", self._data, at)
        return self._long(at + 2 + count * _ENTRY)

    def chain(self) -> Iterator[int]:
        """Yield where each directory begins that follows another one from the first on: the pages of a file."""
        seen, at = set(), self.first
        while at and at not in seen and at <= len(self._data) - 2:
            seen.add(at)
            yield at
            at = self.behind(at)

    def numbers(self, value: Value) -> tuple[int, ...]:
        """Return the numbers of a value; none when they are no whole ones."""
        letter = _LETTERS.get(value.kind)
        return struct.unpack(f"{self.order}{value.number}{letter}", value.data) if letter else ()

    def _long(self, at: int) -> int:
        return int(struct.unpack_from(self.order + "I", self._data, at)[0]) if at + 4 <= len(self._data) else 0


def short(order: str, number: int) -> Value:
    """Return a number as a value."""
    return Value(SHORT, 1, struct.pack(order + "H", number))


def text(words: str) -> Value:
    """Return a text as a value; what is not ASCII is written as UTF-8, as all programs do."""
    data = words.encode() + b"\0"
    return Value(ASCII, len(data), data)


def reordered(directory: Directory, order: str, other: str) -> Directory:
    """Return a directory of one byte order in another."""
    if order == other:
        return directory
    return {
        tag: reordered(value, order, other) if isinstance(value, dict) else value._replace(data=_swapped(value))
        for tag, value in directory.items()
    }


def _swapped(value: Value) -> bytes:
    size = {RATIONAL: 4, 10: 4}.get(value.kind, SIZES[value.kind])
    return b"".join(value.data[at : at + size][::-1] for at in range(0, len(value.data), size))


def write_block(order: str, first: Directory, pinned: Value | None = None) -> bytes:
    """Return a block of these directories; the value `pinned` stays where it stood, as it has offsets of its own."""
    at, data = write_directory(order, first, at=_HEAD, pinned=pinned)
    return (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "I", at) + data


def write_directory(
    order: str, first: Directory, *, at: int, link: int = 0, pinned: Value | None = None
) -> tuple[int, bytes]:
    """Return where these directories begin, and what the file holds from `at` on; `link` is where the next one is."""
    pieces: list[tuple[int, bytes]] = []
    begins = _place(order, first, _Room(at, pinned), pieces, link)
    result = bytearray(max(place + len(piece) for place, piece in pieces) - at)
    for place, piece in pieces:
        result[place - at : place - at + len(piece)] = piece
    return begins, bytes(result)


class _Room:
    """Where the next piece goes: behind the last one, and around what is pinned."""

    def __init__(self, at: int, pinned: Value | None) -> None:
        self._at, self._pinned = at, pinned

    def take(self, size: int) -> int:
        at = self._at + self._at % 2
        if self._pinned and at < self._pinned.at + len(self._pinned.data) and self._pinned.at < at + size:
            at = self._pinned.at + len(self._pinned.data)
            at += at % 2
        self._at = at + size
        return at

    def of(self, value: Value) -> int:
        return value.at if value is self._pinned else self.take(len(value.data))


def _place(
    order: str,
    directory: Mapping[int, Value | Directory],
    room: _Room,
    pieces: list[tuple[int, bytes]],
    link: int = 0,
) -> int:
    """Lay out a directory and all in it; return where it begins."""
    here = room.take(2 + _ENTRY * len(directory) + 4)
    table = bytearray(struct.pack(order + "H", len(directory)))
    for tag, value in sorted(directory.items()):
        if isinstance(value, dict):
            table += struct.pack(order + "HHII", tag, LONG, 1, _place(order, value, room, pieces))
        elif len(value.data) <= 4:
            table += struct.pack(order + "HHI4s", tag, value.kind, value.number, value.data)
        else:
            at = room.of(value)
            pieces.append((at, value.data))
            table += struct.pack(order + "HHII", tag, value.kind, value.number, at)
    pieces.append((here, bytes(table) + struct.pack(order + "I", link)))
    return here
