"""The built-in mark: the Countermark emblem and its name, drawn as a shape."""

from functools import cache

from PIL import Image, ImageDraw

from .fonts import open_font

#: Pixels that the shape is drawn in; marks are this or smaller in nearly every picture.
WIDTH = 2400
_DETAIL = 2  # drawn so many times larger, then reduced, for smooth edges
_NAME = "Countermark"


@cache
def draw_logo() -> Image.Image:
    """Return the logo as an L image: 255 inside the shape, 0 outside."""
    height = WIDTH * _DETAIL * 19 // 100
    shape = Image.new("L", (WIDTH * _DETAIL, height))
    draw = ImageDraw.Draw(shape)
    _draw_emblem(draw, height)
    left = round(height * 1.16)
    font = open_font(100)
    font = open_font(100 * (shape.width - left) / font.getlength(_NAME))
    draw.text((left, height * 0.5), _NAME, font=font, fill=255, anchor="lm")
    box = shape.getbbox()
    return shape.crop(box).reduce(_DETAIL)


def _draw_emblem(draw: ImageDraw.ImageDraw, size: int) -> None:
    """Draw a ring, open at the right like a C, around an M: a sheet's mark seen against the light."""

    def scaled(*values: float) -> list[float]:
        return [value * size for value in values]

    stroke = round(size * 0.105)
    edge = stroke / 2 / size
    draw.arc(scaled(0.01, 0.01, 0.99, 0.99), 38, 322, fill=255, width=stroke)
    for x, y in ((0.886, 0.199), (0.886, 0.801)):  # the round ends of the arc
        centre = (0.5 + (x - 0.5) * (0.49 - edge) / 0.49, 0.5 + (y - 0.5) * (0.49 - edge) / 0.49)
        _dot(draw, centre, edge, size)
    line = [(0.31, 0.68), (0.31, 0.34), (0.5, 0.56), (0.69, 0.34), (0.69, 0.68)]
    draw.line([tuple(scaled(*point)) for point in line], fill=255, width=stroke)
    for point in line:
        _dot(draw, point, edge, size)


def _dot(draw: ImageDraw.ImageDraw, centre: tuple[float, float], radius: float, size: int) -> None:
    box = [(value + sign * radius) * size for sign in (-1, 1) for value in centre]
    draw.ellipse(box, fill=255)
