"""A mark as it is painted: drawn, coloured, made readable, turned, and ready to be pasted."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

from .cache import ByteCache
from .fonts import open_font
from .logo import draw_logo

Effect = Literal["none", "shadow", "outline"]

#: Marks prepared for a size are kept up to so many bytes in a process.
CACHE_BYTES = 64 * 1024 * 1024
_TALLEST = 0.34  # height of a line of text at most, as a fraction of the mark's width


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """What a mark looks like, apart from its size."""

    text: str | None  # lines of text; None for the built-in logo
    color: str
    effect: Effect
    opacity: float  # 0 to 1
    rotation: float  # degrees counterclockwise


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """A mark in pixels."""

    image: Image.Image  # RGBA
    flat: tuple[int, int]  # size before the rotation
    grey: bool  # red, green and blue are the same everywhere
    key: object  # what it is known by: the same key, the same pixels

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
    shape = _fit(draw_logo(), width, height) if appearance.text is None else _write(appearance.text, width, height)
    image = _paint(shape, appearance)
    flat = image.size
    if appearance.rotation % 360:
        image = image.rotate(appearance.rotation, Image.Resampling.BICUBIC, expand=True)
    if box := image.getchannel("A").getbbox():
        image = image.crop(box)
    red, green, blue = ImageColor.getrgb(appearance.color)[:3]
    return Sprite(image=image, flat=flat, grey=red == green == blue, key=(appearance, width, height))


def _fit(shape: Image.Image, width: int, height: int) -> Image.Image:
    scale = min(width / shape.width, height / shape.height)
    size = (max(round(shape.width * scale), 1), max(round(shape.height * scale), 1))
    return shape.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _write(text: str, width: int, height: int) -> Image.Image:
    """Return `text` as a shape, in the largest size that fits."""
    lines = text.count("\n") + 1
    trial = 100.0
    left, top, right, bottom = _measure(text, trial)
    size = trial * min(width / max(right - left, 1), height / max(bottom - top, 1), width * _TALLEST / trial)
    if width * lines < 64:  # too small for the hinting of a font: draw large, then reduce
        return _fit(_write(text, width * 8, height * 8), width, height)
    left, top, right, bottom = _measure(text, size)
    shape = Image.new("L", (max(math.ceil(right - left), 1), max(math.ceil(bottom - top), 1)))
    ImageDraw.Draw(shape).multiline_text((-left, -top), text, font=open_font(size), fill=255, align="center")
    return shape


def _measure(text: str, size: float) -> tuple[float, float, float, float]:
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    return draw.multiline_textbbox((0, 0), text, font=open_font(size), align="center")


def _paint(shape: Image.Image, appearance: Appearance) -> Image.Image:
    """Return the shape in its colour, over its shadow or outline, as RGBA."""
    color = ImageColor.getrgb(appearance.color)[:3]
    if appearance.effect == "none":
        image = Image.new("RGB", shape.size, color)
        image.putalpha(_faded(shape, appearance.opacity))
        return image
    shape, under = _under(shape, appearance.effect)
    alpha = ImageChops.screen(shape, under)
    image = Image.new("RGB", shape.size, _contrast(color))
    image.paste(color, mask=_share(shape, alpha))
    image.putalpha(_faded(alpha, appearance.opacity))
    return image


def _faded(alpha: Image.Image, opacity: float) -> Image.Image:
    return alpha.point([round(value * opacity) for value in range(256)])


def _under(shape: Image.Image, effect: Effect) -> tuple[Image.Image, Image.Image]:
    """Return `shape` with room around it, and what lies under it."""
    reach = max(min(shape.size) * 0.035, 0.6)
    room = math.ceil(reach * 3)
    wide = Image.new("L", (shape.width + 2 * room, shape.height + 2 * room))
    wide.paste(shape, (room, room))
    if effect == "outline":
        grown = wide.filter(ImageFilter.GaussianBlur(reach))
        return wide, grown.point([min(value * 4, 255) for value in range(256)])
    soft = ImageChops.offset(wide, round(reach * 0.4), round(reach * 0.4)).filter(ImageFilter.GaussianBlur(reach))
    return wide, soft.point([round(min(value * 1.3, 255) * 0.75) for value in range(256)])


def _share(part: Image.Image, whole: Image.Image) -> Image.Image:
    """Return part / whole as an L mask: how much of what shows is the shape and not what lies under it."""
    above, all_of_it = (np.asarray(image, dtype=np.float32) for image in (part, whole))
    return Image.fromarray(np.rint(255 * above / np.maximum(all_of_it, 1)).clip(0, 255).astype(np.uint8))


def _contrast(color: tuple[int, ...]) -> tuple[int, int, int]:
    """Return black under light colours and white under dark ones."""
    red, green, blue = color[:3]
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 96 else (255, 255, 255)
