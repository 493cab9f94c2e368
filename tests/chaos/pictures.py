"""Pictures that carry in their pixels which ones they are, and marks that tell by which options they were made.

A picture has 12 x 8 blocks of 16 pixels. Each of its corners, 3 x 2 blocks of grey, is left for the mark; the others
are black or white, and are the bits of its number, its version and a checksum, all of it twice. The mark is a
rectangle of one colour in one corner, as large as the corner. So the right picture with the right mark can be told from
every other one, whatever the format.
"""

import base64
import io
import math
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image

BLOCK = 16
COLUMNS, ROWS = 12, 8
SIZE = (COLUMNS * BLOCK, ROWS * BLOCK)
CORNER = (3, 2)
"""Blocks of a corner."""

NUMBER_BITS, VERSION_BITS, CHECK_BITS = 20, 6, 10
BITS = NUMBER_BITS + VERSION_BITS + CHECK_BITS

CORNERS = {
    "top-left": (0, 0),
    "top-right": (COLUMNS - CORNER[0], 0),
    "bottom-left": (0, ROWS - CORNER[1]),
    "bottom-right": (COLUMNS - CORNER[0], ROWS - CORNER[1]),
}
COLOURS = {
    "red": (230, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 230),
    "yellow": (230, 230, 20),
    "magenta": (230, 20, 230),
    "cyan": (20, 220, 230),
}
GREY = (128, 128, 128)
NEAR = 60
"""How far a channel may be from its colour: JPEG's rounding is far less, the next colour far more."""

KINDS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}

PLACES = [
    (column, row)
    for row in range(ROWS)
    for column in range(COLUMNS)
    if not any(x <= column < x + CORNER[0] and y <= row < y + CORNER[1] for x, y in CORNERS.values())
]
"""The blocks that hold the bits."""


class Unreadable(Exception):
    """A picture that is none of ours, or is damaged."""


@dataclass(frozen=True)
class Style:
    """How a job's mark looks."""

    colour: str
    corner: str

    def options(self) -> dict[str, Any]:
        """The options of a job that make it."""
        return {
            "image": _rectangle(self.colour),
            "position": self.corner,
            "size": CORNER[0] * BLOCK / math.sqrt(SIZE[0] * SIZE[1]),
            "margin": 0,
            "opacity": 1,
        }

    def fields(self) -> dict[str, str]:
        """The same as fields of a form."""
        return {name: str(value) for name, value in self.options().items()}

    def document(self, **output: Any) -> dict[str, Any]:
        """The same as JSON has them."""
        return {"tasks": [{"task": "watermark", **self.options()}], **output}


STYLES = [Style(colour, corner) for colour in COLOURS for corner in CORNERS]


@dataclass(frozen=True)
class Seen:
    """What is in a picture."""

    number: int
    version: int
    style: Style | None
    """None: it has no mark."""


def draw(number: int, version: int, kind: str) -> bytes:
    """A picture, as a file of a kind."""
    small = Image.new("RGB", (COLUMNS, ROWS), GREY)
    bits = _bits(number, version)
    for place, bit in zip(PLACES, bits + bits, strict=True):
        small.putpixel(place, (255, 255, 255) if bit == "1" else (0, 0, 0))
    out = io.BytesIO()
    more = {"lossless": True} if kind == "webp" else {"quality": 85} if kind == "jpg" else {}
    small.resize(SIZE, Image.Resampling.NEAREST).save(out, KINDS[kind], **more)
    return out.getvalue()


def read(data: bytes) -> Seen:
    """What is in a picture.

    Raises:
        Unreadable: it can't be told for sure.
    """
    try:
        image = Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, SyntaxError) as error:
        raise Unreadable(f"{len(data)} bytes are no picture: {error}") from error
    if image.size != SIZE:
        raise Unreadable(f"a picture of {image.size}")
    small = image.resize((COLUMNS, ROWS), Image.Resampling.BOX)
    bits = "".join("1" if _channels(small, place)[1] > 127 else "0" for place in PLACES)
    if bits[:BITS] != bits[BITS:]:
        raise Unreadable(f"its two halves differ: {bits[:BITS]} and {bits[BITS:]}")
    value = int(bits[:BITS], 2) >> CHECK_BITS
    number, version = value >> VERSION_BITS, value % (1 << VERSION_BITS)
    if _bits(number, version) != bits[:BITS]:
        raise Unreadable(f"its checksum is wrong: {bits[:BITS]}")
    return Seen(number, version, _style(small))


def _bits(number: int, version: int) -> str:
    value = (number << VERSION_BITS) + version
    check = zlib.crc32(value.to_bytes(4)) % (1 << CHECK_BITS)
    return f"{(value << CHECK_BITS) + check:0{BITS}b}"


def _style(small: Image.Image) -> Style | None:
    found = {}
    for corner, (left, top) in CORNERS.items():
        # A block at the edge may hold a little of its neighbour; all of them together must be of one colour.
        places = [(left + x, top + y) for x in range(CORNER[0]) for y in range(CORNER[1])]
        means = [sum(_channels(small, place)[each] for place in places) // len(places) for each in range(3)]
        found[corner] = _colour((means[0], means[1], means[2]))
    marked = {corner: colour for corner, colour in found.items() if colour != "grey"}
    if not marked:
        return None
    if len(marked) > 1:
        raise Unreadable(f"it has more than one mark: {marked}")
    [(corner, colour)] = marked.items()
    return Style(colour, corner)


def _colour(mean: tuple[int, int, int]) -> str:
    for name, wanted in {"grey": GREY, **COLOURS}.items():
        if all(abs(a - b) < NEAR for a, b in zip(mean, wanted, strict=True)):
            return name
    raise Unreadable(f"a corner is of no known colour: {mean}")


def _channels(image: Image.Image, place: tuple[int, int]) -> tuple[int, int, int]:
    pixel = image.getpixel(place)
    assert isinstance(pixel, tuple)
    red, green, blue = (round(channel) for channel in pixel)
    return red, green, blue


@cache
def _rectangle(colour: str) -> str:
    out = io.BytesIO()
    Image.new("RGB", (CORNER[0] * BLOCK, CORNER[1] * BLOCK), COLOURS[colour]).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
