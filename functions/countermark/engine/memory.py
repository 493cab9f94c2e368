"""How much memory an image will take, told from its header and its options before anything is decoded.

The figures are the worst that was measured over formats, kinds of pixels, sizes, tasks and formats of the result, with
some room: `tests.engine.needs` measures them again. They count what one image takes beside its file, which the caller
holds, and beside the process without any image.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import TooLargeHere
from .limits import MEGA

#: Taken whatever the image is like: the codecs' tables, the marks and what is looked at of the result.
ALWAYS = 24 * MEGA


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What counts of an image and of the way that it takes."""

    format: str  # names in FORMATS
    written_as: str
    bytes: int  # of the file
    pixels: int  # of a frame as it is decoded
    edited: int  # pixels of a frame that is the largest while it is edited
    depth: int  # bytes of a pixel as Pillow holds it
    frames: int = 1
    coefficients: bool = False  # marked without being decoded to pixels


def memory_needed(shape: Shape) -> int:
    """Return the bytes that this image will take at the most."""
    if shape.coefficients:
        return ALWAYS + 16 * shape.bytes + 8 * shape.pixels
    return ALWAYS + 4 * shape.bytes + 24 * max(shape.pixels, shape.edited) * min(shape.frames, 2)


@contextmanager
def within_memory() -> Iterator[None]:
    """Turn a lack of memory within into an error of the image alone."""
    try:
        yield
    except MemoryError:
        raise TooLargeHere from None
