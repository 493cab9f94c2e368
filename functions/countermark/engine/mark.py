"""A mark as it is painted: drawn, coloured, made readable, turned, and ready to be pasted."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageStat

from .cache import ByteCache
from .errors import EmptyMark
from .fonts import open_font
from .image_mark import ImageMark
from .logo import draw_logo

Effect = Literal["none", "shadow", "outline"]
Blend = Literal["normal", "multiply", "screen"]

#: Marks prepared for a size are kept up to so many bytes in a process.
CACHE_BYTES = 64 * 1024 * 1024
_SMALLEST_FONT = 16.0  # pixels that a text is drawn in; a smaller one is made of it, as fonts have none below one
_TALLEST_LINE = 0.34  # as a fraction of the mark's width, so that a single letter does not fill the picture
_WIDEST = 4096  # pixels that a mark is drawn in; a wider one is enlarged, which spares memory and nobody sees
_FIRMER = 1.25  # than the mark is its outline: it is narrow, and what tells the mark from a ground of middle grey
_BAND = 256  # rows that are worked on at once in floating point
_UNSEEN = 2  # alpha below it, of 255, is not worth touching a block for


@dataclass(frozen=True, kw_only=True)
class Text:
    """Lines of text in a font."""

    lines: str
    font: str


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """What a mark looks like, apart from its size."""

    content: Text | ImageMark | None  # None is the built-in logo
    color: str | None  # #rrggbb; None leaves an image as it is
    effect: Effect
    opacity: float  # 0 to 1
    rotation: float  # degrees counterclockwise
    blend: Blend


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """A mark in pixels."""

    image: Image.Image  # RGBA
    flat: tuple[int, int]  # size before the rotation
    grey: bool  # red, green and blue are the same everywhere
    blend: Blend
    key: Hashable  # what it is known by: the same key, the same pixels

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.image.width * self.image.height * 4


_sprites: ByteCache[Sprite] = ByteCache(CACHE_BYTES, lambda sprite: sprite.bytes)


def prepare(appearance: Appearance, width: int, height: int) -> Sprite:
    """Return the mark drawn to fit into `width` x `height` pixels before its rotation."""
    return _sprites.get((appearance, width, height), lambda: _draw(appearance, width, height))


def _draw(appearance: Appearance, width: int, height: int) -> Sprite:
    enlarged = math.ceil(width / _WIDEST)
    image = _flat(appearance, max(width // enlarged, 1), max(height // enlarged, 1))
    flat = (image.width * enlarged, image.height * enlarged)
    grey, blend = _is_grey(image), appearance.blend
    if appearance.rotation % 360:
        image = image.rotate(appearance.rotation, Image.Resampling.BICUBIC, expand=True)
    image.putalpha(image.getchannel("A").point([0 if value < _UNSEEN else value for value in range(256)]))
    box = image.getchannel("A").getbbox()
    if box is None:
        raise EmptyMark("The mark is transparent everywhere: raise its opacity.")
    image = image.crop(box)
    if grey and blend != "normal":  # then it is a normal mark of another colour and alpha
        image, blend = _as_normal(image, blend), "normal"
    if enlarged > 1:
        image = image.resize((image.width * enlarged, image.height * enlarged), Image.Resampling.BICUBIC)
    return Sprite(image=image, flat=flat, grey=grey, blend=blend, key=(appearance, width, height))


def _is_grey(image: Image.Image) -> bool:
    red, green, blue, alpha = image.split()
    return _same(red, green, alpha) and _same(red, blue, alpha)


def _same(one: Image.Image, other: Image.Image, alpha: Image.Image) -> bool:
    """Tell whether two channels are the same wherever something shows."""
    difference = ImageChops.multiply(ImageChops.difference(one, other), alpha.point([0] + [255] * 255))
    return not any(difference.histogram()[2:])


def _as_normal(image: Image.Image, blend: Blend) -> Image.Image:
    """Return a grey mark that does in normal mode what `image` does in another.

    Multiplying by a grey keeps a share of the picture, which black does at the alpha of what is lost; screen is
    the same in white.
    """
    grey, alpha = image.getchannel("R"), image.getchannel("A")
    strength = ImageChops.multiply(alpha, ImageChops.invert(grey) if blend == "multiply" else grey)
    result = Image.new("RGB", image.size, "black" if blend == "multiply" else "white")
    result.putalpha(strength)
    return result


def _flat(appearance: Appearance, width: int, height: int) -> Image.Image:
    """Return the mark before its rotation, as RGBA."""
    content, color = appearance.content, appearance.color
    if isinstance(content, ImageMark) and color is None:
        image = _fit(content.open(), width, height)
        return _paint(image.getchannel("A"), image.convert("RGB"), _mean(image), appearance)
    if isinstance(content, ImageMark):
        shape = _fit(content.shape(), width, height)
    else:
        shape = _write(content, width, height) if content else _fit(draw_logo(), width, height)
    plain = ImageColor.getrgb(color or "white")
    return _paint(shape, Image.new("RGB", shape.size, plain), plain, appearance)


def _mean(image: Image.Image) -> tuple[int, ...]:
    """Return the mean colour of what shows of an image."""
    return tuple(round(each) for each in ImageStat.Stat(image.convert("RGB"), image.getchannel("A")).mean)


def _fit(shape: Image.Image, width: int, height: int) -> Image.Image:
    return _scaled(shape, min(width / shape.width, height / shape.height))


def _scaled(shape: Image.Image, scale: float) -> Image.Image:
    size = (max(round(shape.width * scale), 1), max(round(shape.height * scale), 1))
    return shape.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _write(text: Text, width: int, height: int) -> Image.Image:
    """Return the text as a shape, in the largest size that fits."""
    trial = 100.0
    left, top, right, bottom = _measure(text, trial)
    size = trial * min(width / max(right - left, 1), height / max(bottom - top, 1), width * _TALLEST_LINE / trial)
    drawn = max(size, _SMALLEST_FONT)
    left, top, right, bottom = _measure(text, drawn)
    shape = Image.new("L", (max(math.ceil(right - left), 1), max(math.ceil(bottom - top), 1)))
    font = open_font(drawn, text.font)
    ImageDraw.Draw(shape).multiline_text((-left, -top), text.lines, font=font, fill=255, align="center")
    return _scaled(shape, size / drawn) if size < drawn else shape


def _measure(text: Text, size: float) -> tuple[float, float, float, float]:
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    return draw.multiline_textbbox((0, 0), text.lines, font=open_font(size, text.font), align="center")


def _paint(shape: Image.Image, colors: Image.Image, mean: tuple[int, ...], appearance: Appearance) -> Image.Image:
    """Return `colors`, which are about `mean`, in the form of `shape`, over its shadow or outline, as RGBA."""
    if appearance.effect == "none":
        colors.putalpha(_faded(shape, appearance.opacity))
        return colors
    shape, under = _under(shape, appearance.effect)
    room = ((shape.width - colors.width) // 2, (shape.height - colors.height) // 2)
    part = _faded(shape, appearance.opacity)
    below = appearance.opacity * (_FIRMER if appearance.effect == "outline" else 1)
    alpha = ImageChops.add(part, ImageChops.multiply(_faded(under, min(below, 1)), ImageChops.invert(shape)))
    image = Image.new("RGB", shape.size, _contrast(mean))
    above = image.copy()
    above.paste(colors, room)
    image.paste(above, mask=_share(part, alpha))
    image.putalpha(alpha)
    return image


def _faded(alpha: Image.Image, opacity: float) -> Image.Image:
    return alpha.point([round(value * opacity) for value in range(256)])


def _under(shape: Image.Image, effect: Effect) -> tuple[Image.Image, Image.Image]:
    """Return `shape` with room around it, and what lies under it."""
    reach = max(min(shape.size) * 0.025, 0.6)
    room = math.ceil(reach * 3)
    wide = Image.new("L", (shape.width + 2 * room, shape.height + 2 * room))
    wide.paste(shape, (room, room))
    if effect == "outline":
        grown = wide.filter(ImageFilter.GaussianBlur(reach))
        return wide, grown.point([min(value * 4, 255) for value in range(256)])
    soft = ImageChops.offset(wide, round(reach * 0.4), round(reach * 0.4)).filter(ImageFilter.GaussianBlur(reach))
    return wide, soft.point([round(min(value * 1.3, 255) * 0.75) for value in range(256)])


def _share(part: Image.Image, whole: Image.Image) -> Image.Image:
    """Return part / whole as an L mask: how much of what shows is the mark and not what lies under it."""
    above, together = np.asarray(part), np.asarray(whole)
    share = np.empty_like(above)
    for row in range(0, len(above), _BAND):
        band = np.s_[row : row + _BAND]
        exact = 255 * above[band].astype(np.float32) / np.maximum(together[band], 1)
        share[band] = np.rint(exact).clip(0, 255)
    return Image.fromarray(share)


def _contrast(color: tuple[int, ...]) -> tuple[int, int, int]:
    """Return black under light colours and white under dark ones."""
    red, green, blue = color[:3]
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 96 else (255, 255, 255)
