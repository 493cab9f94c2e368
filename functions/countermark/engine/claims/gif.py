"""GIF: a screen that the first frame may make larger, and frames that may be larger than it."""

import struct

from .tally import Tally

_FRAME, _EXTENSION = 0x2C, 0x21
_ROOM = 100_000  # blocks that any file may have
_SHORT = 32  # bytes of a block on average; encoders fill them up to 255


def read(source: bytes, tally: Tally) -> None:
    """Read the blocks of a GIF file."""
    most = _ROOM + len(source) // _SHORT
    width, height, flags = struct.unpack_from("<HHB", source, 6)
    tally.screen(width, height)
    at, frames = 13 + _table(flags), 0
    while at < len(source):
        kind = source[at]
        tally.part(most=most)
        if kind == _FRAME:
            left, top, width, height, flags = struct.unpack_from("<HHHHB", source, at + 1)
            if not frames:
                tally.screen(left + width, top + height)
            frames += 1
            tally.frame(width, height)
            at = _behind(source, at + 11 + _table(flags), tally, most)
        elif kind == _EXTENSION:
            at = _behind(source, at + 2, tally, most)
        elif kind == 0x3B:
            return
        else:  # Pillow looks on behind it
            at += 1


def _table(flags: int) -> int:
    """Return the bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind(source: bytes, at: int, tally: Tally, most: int) -> int:
    """Return where the data ends whose blocks begin at `at`."""
    count = 1
    while size := source[at]:
        at += 1 + size
        count += 1
    tally.part(count, most)
    return at + 1
