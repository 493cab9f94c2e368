"""TIFF: pages, in strips or tiles that may be larger than the page, and directories that say so."""

import struct

from PIL.ExifTags import Base

from ..errors import DamagedImage
from ..metadata.structure import SIZES
from .tally import Tally

_PLACES = {Base.StripOffsets, Base.StripByteCounts, Base.TileOffsets, Base.TileByteCounts}
_SIZES = SIZES | {16: 8, 17: 8, 18: 8}  # of BigTIFF too
_BYTES = {1, 2, 6, 7}
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_SIDES = {Base.ImageWidth, Base.ImageLength, Base.TileWidth, Base.TileLength, Base.SamplesPerPixel}
#: Entries of all directories together: pages have a few dozen. Numbers in them: mostly the places of strips.
_MOST_ENTRIES = 100_000
_MOST_NUMBERS = 500_000
#: Bytes of all values together, which are all read: as often the whole file, and what any file may have.
_OFTEN, _ANY = 4, 64_000_000
_MOST_SAMPLES = 16  # of a pixel


def read(source: bytes, tally: Tally) -> None:
    """Read the directories of a TIFF file."""
    reading = _Reading(source, tally)
    seen: set[int] = set()
    at = reading.first
    while at and at not in seen:
        seen.add(at)
        at = reading.page(at)


def read_directory(block: bytes, tally: Tally) -> None:
    """Read the first directory of an EXIF block, which has no pages."""
    if len(block) >= 8:
        reading = _Reading(block, tally)
        reading.entries(reading.first)


class _Reading:
    """A file, and how much of its directories has been read."""

    def __init__(self, source: bytes, tally: Tally) -> None:
        self._source, self._tally = source, tally
        self._order = ">" if source[:2] == b"MM" else "<"
        # Of a BigTIFF file counts and places have twice the bytes, or four times.
        big = source[2:4] in {b"+\0", b"\0+"}
        self._first, self._place, self._count = (8, "Q", "Q") if big else (4, "I", "H")
        self._head, self._entry = (8, 20) if big else (2, 12)
        self._numbers = self._bytes = 0

    @property
    def first(self) -> int:
        """Where the first directory begins."""
        return self.number(self._place, self._first)

    def number(self, letter: str, at: int) -> int:
        """Return the number at a place."""
        return int(struct.unpack_from(self._order + letter, self._source, at)[0])

    def page(self, at: int) -> int:
        """Read a page; return where the next one begins, or 0."""
        found = self.entries(at)
        width, height = found.get(Base.ImageWidth, 0), found.get(Base.ImageLength, 0)
        self._tally.frame(width, height)
        # A tile is unpacked whole, and all samples of a pixel with it.
        across, down = found.get(Base.TileWidth, 0), found.get(Base.TileLength, 0)
        self._tally.picture(across, down)
        if found.get(Base.SamplesPerPixel, 1) > _MOST_SAMPLES:
            raise DamagedImage(f"The TIFF image has more than {_MOST_SAMPLES} samples in a pixel.")
        return self.number(self._place, at + self._head + self._entry * self.number(self._count, at))

    def entries(self, at: int) -> dict[int, int]:
        """Read the directory at a place; return the numbers that say how large pictures are."""
        count = self.number(self._count, at)
        self._tally.part(count + 1, _MOST_ENTRIES)
        found: dict[int, int] = {}
        begins, behind = at + self._head, struct.calcsize("<HH" + self._place)
        for place in range(begins, begins + count * self._entry, self._entry):
            tag, kind, values = struct.unpack_from(self._order + "HH" + self._place, self._source, place)
            if tag in _SIDES and kind in _LETTERS:
                found[tag] = self.number(_LETTERS[kind], place + behind)
            self._note(tag, kind, values, len(self._source))
        return found

    def _note(self, tag: int, kind: int, values: int, room: int) -> None:
        length = _SIZES.get(kind, 0) * values
        if length <= room:  # else it is cut, or not read
            self._bytes += length
        if kind not in _BYTES or tag in _PLACES:
            self._numbers += min(values, room)
        if self._numbers > _MOST_NUMBERS or self._bytes > _ANY + _OFTEN * room:
            raise DamagedImage("The image's directories have more values than any real one, and are not read.")
