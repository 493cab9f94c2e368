"""PNG: a picture, and frames within its bounds."""

import struct

from ..chunks import chunks
from .tally import Tally

_NUMBER, _SIDES = 4, 8  # bytes of a frame's number, and of a width and a height


def read(source: bytes, tally: Tally) -> None:
    """Read the chunks of a PNG file."""
    frames, width, height = 0, 0, 0
    for kind, begins, end in chunks(source):
        tally.part()
        if kind == b"IHDR" and end - begins >= _SIDES:
            width, height = struct.unpack_from(">II", source, begins)
            tally.screen(width, height)
        elif kind == b"IDAT" and not frames:  # a picture that may be none of the animation
            frames = 1
            tally.frame(width, height)
        elif kind == b"fcTL" and end - begins >= _NUMBER + _SIDES:
            frames += 1
            tally.frame(*struct.unpack_from(">II", source, begins + _NUMBER))
