"""The boxes of HEIC and AVIF files."""

import struct
from collections.abc import Iterator

from .tally import Tally

#: Boxes that hold boxes -> what stands before these.
_HOLDERS = {b"meta": 4} | dict.fromkeys((b"iprp", b"ipco", b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"), 0)
_DEEPEST = 8
Box = tuple[bytes, int, int]  # kind, begin and end of what it holds


def boxes(source: bytes, at: int, end: int, tally: Tally, depth: int = 0) -> Iterator[Box]:
    """Yield the boxes of a part of a file, and those in them, in their order."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", source, at)
        begins = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", source, begins)
            begins += 8
        stop = end if size == 0 else min(at + size, end)
        tally.part()
        if stop < begins:
            return
        yield kind, begins, stop
        if kind in _HOLDERS and depth < _DEEPEST:
            yield from boxes(source, begins + _HOLDERS[kind], stop, tally, depth + 1)
        at = stop
