"""The task that Countermark exists for: a mark on the picture."""

import re
from typing import Annotated, Literal, NamedTuple, Self

from PIL import Image, ImageColor
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from .. import layout
from ..assets import assets
from ..fonts import find_font, missing
from ..image_mark import LONGEST, ImageMark, find_image
from ..mark import Appearance, Blend, Effect, Sprite, Text, prepare
from ..paint import paint
from ..task import ImageTask, Picture, register

PLACEHOLDERS = ("name", "number", "date", "year")
LONGEST_TEXT = 500
_SMALLEST = 8  # pixels; below it a mark is but a dot
_WIDEST = 3.0  # of the picture's height, so that a panorama is not marked with its middle letter alone
_TALLEST = 0.8  # of the picture's height, for a single mark


def _fraction(value: object) -> object:
    """Return "40%" as 0.4, anything else as it is."""
    match = re.fullmatch(r"\s*([\d.]+)\s*%\s*", value) if isinstance(value, str) else None
    return float(match[1]) / 100 if match else value


def _known_color(value: str) -> str:
    """Return a colour as #rrggbb."""
    try:
        red, green, blue = ImageColor.getrgb(value.strip())[:3]
    except ValueError:
        raise ValueError('A colour is a name such as "white" or a value such as "#ffcc00".') from None
    return f"#{red:02x}{green:02x}{blue:02x}"


def _known_image(value: str) -> str:
    find_image(value)
    return value


def _known_font(value: str) -> str:
    if value not in assets().fonts:
        raise ValueError(f"There is no font {value!r}, only {', '.join(assets().fonts)}.")
    return value


def _known_placeholders(text: str) -> str:
    for name in re.findall(r"\{(\w*)\}", text):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise ValueError(f"There is no placeholder {{{name}}}; there are {known}.")
    return text


Wording = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_known_placeholders)]
Fraction = Annotated[float, BeforeValidator(_fraction)]


class Stamp(NamedTuple):
    """A mark and the top left corners of its copies, in pixels of the upright picture."""

    sprite: Sprite
    spots: list[layout.Spot]


@register
class Watermark(ImageTask):
    """Put a text or the logo on the picture, once or tiled all over it."""

    task: Literal["watermark"] = "watermark"

    text: Wording | None = None
    """Text of the mark, with {name}, {number}, {date} or {year}; without text and image the mark is the logo."""

    image: Annotated[str, Field(max_length=LONGEST), AfterValidator(_known_image)] | None = None
    """Image of the mark: the name of a stored one, or a PNG, WebP or JPEG as a data: URL."""

    font: Annotated[str, AfterValidator(_known_font)] | None = None
    """Font of the text; another one stands in when it lacks a letter."""

    position: layout.Position = "tile"
    """Where the mark stands; "tile" covers the whole picture with it."""

    tiling: layout.Tiling = "straight"
    """How a tiled mark is repeated."""

    spacing: Annotated[Fraction, Field(ge=0, le=10)] = 0.25
    """Gap between tiled marks, as a fraction of the mark's size."""

    size: Annotated[Fraction, Field(ge=0.01, le=1)] = 0.4
    """Width of the mark before its rotation, as a fraction of the picture's width."""

    margin: Annotated[Fraction, Field(ge=0, le=0.5)] = 0.03
    """Distance of a single mark from the edge, as a fraction of the picture's shorter side."""

    opacity: Annotated[Fraction, Field(gt=0, le=1)] = 0.5
    """0 is invisible, 1 is solid."""

    rotation: Annotated[float, Field(ge=-360, le=360)] | None = None
    """Degrees counterclockwise; left out, a tiled mark is turned by 30 and a single one stands upright."""

    blend: Blend = "normal"
    """How the mark mixes with the picture: "multiply" only darkens, "screen" only lightens."""

    color: Annotated[str, AfterValidator(_known_color)] = "#ffffff"
    """Colour of the text or the logo, by name or as #rrggbb."""

    effect: Effect | None = None
    """What keeps the mark readable on any ground; left out, text and logo have a shadow and images nothing."""

    @model_validator(mode="after")
    def _is_one_mark(self) -> Self:
        if self.text is not None and self.image is not None:
            raise ValueError("A mark is a text or an image, not both; give two tasks for two marks.")
        return self

    @model_validator(mode="after")
    def _has_every_letter(self) -> Self:
        plain = re.sub(r"\{\w+\}", "", self.text or "")
        if lost := missing(plain, find_font(plain, self.font)):
            raise ValueError(f"No font here has {lost}; add one that has to the folder of assets.")
        return self

    def edit(self, image: Image.Image, picture: Picture) -> Image.Image:
        """Return the picture with the mark."""
        stamp = self.stamp(image.size, picture)
        return paint(image, stamp.sprite, stamp.spots, picture.profile)

    def stamp(self, size: layout.Size, picture: Picture) -> Stamp:
        """Return the mark prepared for a picture of `size` pixels, and where it goes."""
        sprite = self._sprite(size, picture)
        plan = layout.Layout(
            position=self.position,
            tiling=self.tiling,
            spacing=self.spacing,
            margin=self.margin,
            angle=self._angle,
        )
        return Stamp(sprite, layout.places(plan, size, sprite.size, sprite.flat))

    def _sprite(self, size: layout.Size, picture: Picture) -> Sprite:
        appearance = Appearance(
            content=self._content(picture),
            color=self.color,
            effect=self.effect or ("none" if self.image else "shadow"),
            opacity=self.opacity,
            rotation=self._angle,
            blend=self.blend,
        )
        width = max(min(size[0] * self.size, size[1] * _WIDEST), _SMALLEST)
        height = max(size[1] * _TALLEST, _SMALLEST)
        if self.position == "tile":
            width = height = max(width, layout.narrowest(size))
        return prepare(appearance, layout.size_class(width), layout.size_class(height))

    def _content(self, picture: Picture) -> Text | ImageMark | None:
        if self.text is not None:
            lines = _filled(self.text, picture)
            return Text(lines=lines, font=find_font(lines, self.font))
        return find_image(self.image) if self.image else None

    @property
    def _angle(self) -> float:
        return self.rotation if self.rotation is not None else 30.0 if self.position == "tile" else 0.0


def _filled(text: str, picture: Picture) -> str:
    """Return `text` with the values of its placeholders."""
    taken = picture.taken
    values = {
        "name": picture.name.rsplit("/", 1)[-1],
        "number": str(picture.number),
        "date": f"{taken:%Y-%m-%d}" if taken else "",
        "year": f"{taken:%Y}" if taken else "",
    }
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text).strip() or " "
