"""PNG: a picture, and frames within its bounds."""

import struct

from ..chunks import chunks
from .tally import Tally


def read(source: bytes, tally: Tally) -> None:
    """Read the chunks of a PNG file."""
    frames, width, height = 0, 0, 0
    for kind, begins, _ in chunks(source):
        tally.part()
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", source, begins)
            tally.screen(width, height)
        elif kind == b"IDAT" and not frames:  # a picture that may be none of the animation
            frames = 1
            tally.frame(width, height)
        elif kind == b"fcTL":
            frames += 1
            tally.frame(*struct.unpack_from(">II", source, begins + 4))
