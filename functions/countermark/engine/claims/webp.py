"""WebP: a canvas, and frames of their own sizes."""

import struct

from .tally import Tally


def read(source: bytes, tally: Tally) -> None:
    """Read the chunks of a WebP file."""
    _chunks(source, 12, len(source), tally)


def _chunks(source: bytes, at: int, end: int, tally: Tally, *, nested: bool = False) -> None:
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", source, at)
        tally.part()
        begins = at + 8
        if kind == b"VP8X":
            tally.screen(_three(source, begins + 4) + 1, _three(source, begins + 7) + 1)
        elif kind == b"ANMF" and not nested:
            tally.frame(_three(source, begins + 6) + 1, _three(source, begins + 9) + 1)
            _chunks(source, begins + 16, min(begins + length, end), tally, nested=True)
        elif kind == b"VP8 ":
            _picture(tally, *(side & 0x3FFF for side in struct.unpack_from("<HH", source, begins + 6)), nested=nested)
        elif kind == b"VP8L":
            (bits,) = struct.unpack_from("<I", source, begins + 1)
            _picture(tally, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, nested=nested)
        at = begins + length + length % 2


def _picture(tally: Tally, width: int, height: int, *, nested: bool) -> None:
    if nested:
        tally.picture(width, height)
    else:
        tally.frame(width, height)


def _three(source: bytes, at: int) -> int:
    return int.from_bytes(source[at : at + 3], "little")
