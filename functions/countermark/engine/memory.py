"""How much memory an image will take, told from its header and its options before anything is decoded.

The figures are the most that was measured over formats, kinds of pixels, sizes, tasks and formats of the result, and
some room; `make test-needs` measures again. They count what one image takes beside its file, which the caller holds,
and beside a process that has marked images before.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from .errors import TooLargeHere
from .limits import MEGA

#: Taken whatever the image is like: tables of codecs, marks, and what is looked at of the result.
ALWAYS = 10 * MEGA
ALWAYS_AVIF = 20 * MEGA  # and by the encoder of AVIF, for its threads
#: How many times its file an image takes: parts of it, and of a result that grows with it.
TIMES = 2.5
#: Bytes of a pixel by the kind of pixels; what is not here has 4.
DEPTHS = MappingProxyType({"L": 1, "1": 1})
#: The same of pictures of 16 bits, while their low bytes are decoded, and while they are written as what holds 16 bits.
DEEP, DEEP_DECODING = 8, 12
DEEP_FURTHER = 40
DEEP_ENCODING: Mapping[str, float] = MappingProxyType({"PNG": 12, "TIFF": 28})


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Bytes of a pixel."""

    most: float  # while it is decoded or encoded, beside the frame itself
    held: float = 0  # by the decoder, as long as the image is worked on


DECODING = MappingProxyType(
    {
        "JPEG": Cost(most=1),
        "PNG": Cost(most=2, held=1),
        "GIF": Cost(most=2, held=1),
        "BMP": Cost(most=4),
        "TIFF": Cost(most=10, held=6),
        "WebP": Cost(most=13, held=12.5),
        "AVIF": Cost(most=8, held=5),
        "HEIC": Cost(most=8, held=5),
    }
)
ENCODING: Mapping[str, float] = MappingProxyType(
    {"JPEG": 2, "PNG": 3, "BMP": 5, "TIFF": 7, "GIF": 20, "WebP": 8, "AVIF": 27}
)
#: Bytes of a pixel as soon as a file is opened: Pillow's decoder of WebP has two canvases before it knows a frame.
OPENING: Mapping[str, float] = MappingProxyType({"WebP": 8})
ALWAYS_IN_COLOUR = frozenset({"WebP", "AVIF"})
LOSSLESS_WEBP = 18
#: More for what is transparent, where the format has none of it, or encodes it by itself.
CLEAR: Mapping[str, float] = MappingProxyType({"JPEG": 13, "BMP": 13, "WebP": 15, "AVIF": 6})
#: More for a palette that is found again.
PALETTE, AGAIN = 9, {"PNG", "TIFF", "BMP"}
#: More for what is neither grey nor RGB, where the format does not hold it.
CONVERTED = 5
HOLDING: Mapping[str, Collection[str]] = MappingProxyType({"CMYK": {"JPEG", "TIFF"}})
#: For a pixel of further frames: they are in the result, and twice there while it is put together.
FURTHER: Mapping[str, float] = MappingProxyType(
    {"GIF": 3.5, "PNG": 6, "WebP": 1.5, "lossless": 6, "AVIF": 2, "TIFF": 16}
)
MOVING = 8  # for a pixel of the pictures that the frames of a moving source are put together in
CANVASES = 16  # for a pixel of the canvases of a moving WebP picture
#: For a picture that is turned; and how many times what a task has and makes is there, with the double without a mark.
TURNED, EDITING = 4, 1.5
#: For a pixel of the boxes that marks are turned in: in colours, with what lies under them, light and dark.
MARKS = 18
#: Of a JPEG file marked in its coefficients: times its bytes, and bytes of a pixel.
MARKED_BYTES, MARKED_PIXELS = 6, 0.5


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What counts of an image and of the way that it takes."""

    format: str  # names in FORMATS
    written_as: str
    mode: str  # of the source
    deep: bool = False  # 16 bits for each colour
    bytes: int  # of the file
    pixels: int  # of a frame as it is decoded; where the file says several numbers, the largest
    edited: int  # of a frame before and behind the task that makes the largest of it; 0 where only marks are put on it
    written: int  # of a frame of the result
    marks: int = 0  # of the boxes that the marks are turned in
    lossless: bool = False  # the result is lossless WebP
    moving: bool = False
    further: int = 0  # pixels of the frames of the result behind the first one
    turned: bool = False
    coloured: bool = True  # or what is grey stays so
    coefficients_held: float = 0  # bytes of a pixel
    coefficients: bool = False  # marked in its coefficients


def memory_to_open(form: str, pixels: int) -> int:
    """Return the bytes that a file takes whose largest picture has so many pixels, before anything of it is decoded."""
    return int(OPENING.get(form, 0) * pixels)


def memory_needed(shape: Shape) -> int:
    """Return the bytes that this image will take at the most."""
    always = ALWAYS + (ALWAYS_AVIF if shape.written_as == "AVIF" else 0) + MARKS * shape.marks
    if shape.coefficients:
        pixels = MARKED_PIXELS + shape.coefficients_held
        return always + int(MARKED_BYTES * shape.bytes + pixels * shape.pixels)
    depth = 4 if shape.coloured else DEPTHS.get(shape.mode, 4)
    depth = DEEP if shape.deep else depth
    cost = DECODING[shape.format]
    if shape.format == "TIFF" and depth < 4:  # whose pixels are copied as they are
        cost = Cost(most=cost.most * depth / 4, held=cost.held * depth / 4)
    held = (cost.held + TURNED * shape.turned + MOVING * shape.moving) * shape.pixels
    decoding = cost.most - cost.held + DEEP_DECODING * shape.deep + shape.coefficients_held
    decoded = held + (depth + decoding) * shape.pixels
    edited = held + EDITING * depth * shape.edited
    before = depth * shape.pixels if shape.edited else 0
    written = held + before + (depth + _encoding(shape, depth)) * shape.written
    kind = "lossless" if shape.lossless else shape.written_as
    written += (DEEP_FURTHER if shape.deep else FURTHER.get(kind, depth)) * shape.further
    if shape.further and shape.written_as == "WebP":
        written += CANVASES * shape.written
    return always + int(TIMES * shape.bytes + max(decoded, edited, written))


def _encoding(shape: Shape, depth: int) -> float:
    """Return what a pixel takes while it is written, beside the frame."""
    if shape.deep and shape.written_as in DEEP_ENCODING:
        return DEEP_ENCODING[shape.written_as]
    depth = min(depth, 4)
    cost: float = LOSSLESS_WEBP if shape.lossless else ENCODING[shape.written_as]
    if shape.written_as in ALWAYS_IN_COLOUR:
        cost += 4 - depth
    else:
        cost *= depth / 4
    if shape.mode == "P" and shape.written_as in AGAIN:
        cost += PALETTE
    if shape.mode in {"LA", "RGBA", "PA"}:
        cost += 0 if shape.lossless else CLEAR.get(shape.written_as, 0)
    elif shape.written_as not in HOLDING.get(shape.mode, ENCODING):
        cost += CONVERTED
    return cost


@contextmanager
def within_memory() -> Iterator[None]:
    """Turn a lack of memory within into an error of the image alone."""
    try:
        yield
    except MemoryError:
        raise TooLargeHere from None
