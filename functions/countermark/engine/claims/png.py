"""PNG: a picture, and frames within its bounds."""

import struct

from .tally import Tally

_SIGNATURE = 8


def read(source: bytes, tally: Tally) -> None:
    """Read the chunks of a PNG file."""
    at, frames, width, height = _SIGNATURE, 0, 0, 0
    while at + 8 <= len(source):
        length, kind = struct.unpack_from(">I4s", source, at)
        tally.part()
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", source, at + 8)
            tally.screen(width, height)
        elif kind == b"IDAT" and not frames:  # a picture that may be none of the animation
            frames = 1
            tally.frame(width, height)
        elif kind == b"fcTL":
            frames += 1
            tally.frame(*struct.unpack_from(">II", source, at + 12))
        at += 12 + length
