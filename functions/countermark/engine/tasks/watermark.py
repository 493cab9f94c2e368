"""The task that Countermark exists for: a mark on the picture."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Annotated, Literal, NamedTuple, Self

from PIL import Image, ImageColor
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from .. import layout, wording
from ..assets import assets
from ..deep import Deep
from ..errors import EmptyMark
from ..ground import DARK, LIGHT, Ground, needs_dark
from ..image_mark import LONGEST, ImageMark, find_image
from ..mark import Appearance, Blend, Effect, Sprite, Text, prepare
from ..paint import paint
from ..seen import LEVELS
from ..task import ImageTask, Picture, register

LONGEST_TEXT = 500
FAINTEST = 0.02  # opacity; what is below cannot change a pixel by the levels that count as seen
AUTO, AS_IS = "auto", "as-is"
_TRIAL = 256  # pixels of the side of a mark whose proportions count, and how true these are
_TRUE = 1.02
_FURTHEST = 1.6  # times its side a mark reaches at the most, turned and with its shadow
_SMALLEST = 48  # pixels of a mark's side where the picture has room for them; below it nobody can read it


def _fraction(value: object) -> object:
    """Return "40%" as 0.4, anything else as it is."""
    match = re.fullmatch(r"\s*([\d.]+)\s*%\s*", value) if isinstance(value, str) else None
    return float(match[1]) / 100 if match else value


def _known_color(value: str) -> str:
    """Return a colour as #rrggbb, or one of the words for what is no colour of its own."""
    if value.strip().lower() in {AUTO, AS_IS}:
        return value.strip().lower()
    try:
        red, green, blue = ImageColor.getrgb(value.strip())[:3]
    except ValueError:
        raise ValueError('A colour is "auto", a name such as "white" or a value such as "#ffcc00".') from None
    return f"#{red:02x}{green:02x}{blue:02x}"


def _known_image(value: str) -> str:
    if find_image(value).strongest < LEVELS:
        raise ValueError("The image of the mark is transparent everywhere.")
    return value


def _known_font(value: str) -> str:
    if value not in assets().fonts:
        raise ValueError(f"There is no font {value!r}, only {', '.join(assets().fonts)}.")
    return value


Wording = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
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
    """Text of the mark, with placeholders such as {name}, {date:%d.%m.%Y} or {camera|no camera}; without text and
    image the mark is the logo."""

    image: Annotated[str, Field(max_length=LONGEST), AfterValidator(_known_image)] | None = None
    """Image of the mark: the name of a stored one, or a PNG, WebP or JPEG as a data: URL."""

    font: Annotated[str, AfterValidator(_known_font)] | None = None
    """Font of the text; another one stands in when it lacks a letter."""

    position: layout.Position = "tile"
    """Where the mark stands; "tile" covers the whole picture with it, "auto" finds the calmest corner."""

    tiling: layout.Tiling = "staggered"
    """How a tiled mark is repeated."""

    spacing: Annotated[Fraction, Field(ge=0, le=10)] = 0.5
    """Gap between tiled marks, as a fraction of the mark's size."""

    size: Annotated[Fraction, Field(ge=0.01, le=2)] = 0.25
    """Longer side of the mark before its rotation, as a fraction of the side of a square as large as the picture; a
    mark that the picture has no room for is made smaller."""

    margin: Annotated[Fraction, Field(ge=0, le=0.5)] = 0.03
    """Distance of a single mark from the edge, as a fraction of the picture's shorter side."""

    opacity: Annotated[Fraction, Field(ge=FAINTEST, le=1)] = 0.65
    """The less, the more shows through; 1 is solid."""

    rotation: Annotated[float, Field(ge=-360, le=360)] | None = None
    """Degrees counterclockwise; left out, a tiled mark is turned by 30 and a single one stands upright."""

    blend: Blend = "normal"
    """How the mark mixes with the picture: "multiply" only darkens, "screen" only lightens."""

    color: Annotated[str, AfterValidator(_known_color)] | None = None
    """Colour of the mark: a name, #rrggbb, "auto" for light or dark by what lies under each copy, or, of an image,
    "as-is"; left out, text and logo are "auto" and images "as-is"."""

    effect: Effect | None = None
    """What keeps the mark readable on any ground; left out, an "auto" colour has an outline, another one a shadow, and
    an image as it is nothing."""

    @model_validator(mode="after")
    def _is_one_mark(self) -> Self:
        if self.text is not None and self.image is not None:
            raise ValueError("A mark is a text or an image, not both; give two tasks for two marks.")
        if self.color == AS_IS and self.image is None:
            raise ValueError('Only an image has colours to be "as-is"; text and logo are "auto" or of a colour.')
        return self

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        try:
            wording.check(self.text or "-", self.font)
        except ValueError as error:
            raise PydanticCustomError("text", "{why}", {"why": str(error), "at": ["text"]}) from error
        return self

    @model_validator(mode="after")
    def _can_be_seen(self) -> Self:
        if self.image and find_image(self.image).strongest * self.opacity < LEVELS:
            raise ValueError("The image of the mark is too transparent for this opacity: nothing of it would be seen.")
        nothing = {"multiply": "#ffffff", "screen": "#000000"}.get(self.blend)
        if self._color == nothing and self._effect == "none":
            raise ValueError(f'In {self._color} nothing is seen of a mark that is blended by "{self.blend}".')
        return self

    def edit(self, image: Image.Image, picture: Picture) -> Image.Image:
        """Return the picture with the mark."""
        for sprite, spots in self.stamps(image.size, picture, partial(Ground.of, image)):
            image = paint(image, sprite, spots, picture.profile)
        return image

    def edit_deep(self, image: Deep, picture: Picture) -> Deep:
        """Return a picture of 16 bits with the mark, blended in as many."""
        for sprite, spots in self.stamps(image.size, picture, partial(Ground.of, image)):
            image = image.painted(sprite, spots, picture.profile)
        return image

    def stamps(self, size: layout.Size, picture: Picture, ground: Callable[[], Ground]) -> list[Stamp]:
        """Return the mark prepared for a picture of `size` pixels, in one colour or two, and where it goes.

        `ground` is asked for when colour or place depend on it. All frames of a picture are marked like its first.
        """
        key = (id(self), size)
        if key not in picture.decided:
            picture.decided[key] = self._stamps(size, picture, ground)
        stamps = picture.decided[key]
        assert isinstance(stamps, list)  # noqa: S101 - it was put there above
        return stamps

    def _stamps(self, size: layout.Size, picture: Picture, ground: Callable[[], Ground]) -> list[Stamp]:
        appearance = self._appearance(picture)
        side, sprite = self._fitting(appearance, size)
        seen = cache(ground)
        if self.position == "auto":
            corners = [self._places(corner, size, sprite)[0] for corner in layout.CORNERS]
            spots = [seen().calmest(corners, sprite.size)]
        else:
            spots = self._places(self.position, size, sprite)
        if not any(layout.is_whole(spot, size, sprite.size) for spot in spots):
            raise EmptyMark(f"A picture of {size[0]} x {size[1]} pixels has no room for the whole mark.")
        if self._color != AUTO or self.blend != "normal":
            return [Stamp(sprite, spots)]
        dark = needs_dark(seen().under(spots, sprite.size), self.opacity)
        found = []
        for wanted, color in ((False, LIGHT), (True, DARK)):
            if lot := [spot for spot, is_dark in zip(spots, dark, strict=True) if is_dark == wanted]:
                found.append(Stamp(prepare(replace(appearance, color=color), side, side), lot))
        return found

    def _appearance(self, picture: Picture) -> Appearance:
        """Return what the mark looks like; one of an "auto" colour is light first."""
        color: str | None = self._color
        if color == AUTO:
            color = DARK if self.blend == "multiply" else LIGHT
        return Appearance(
            content=self._content(picture),
            color=None if color == AS_IS else color,
            effect=self._effect,
            opacity=self.opacity,
            rotation=self._angle,
            blend=self.blend,
        )

    def _fitting(self, appearance: Appearance, size: layout.Size) -> tuple[int, Sprite]:
        """Return the mark in its size, or in the largest that the picture has room for, and its side."""
        side = self.side_on(size)
        if side > _TRIAL and side * _FURTHEST > min(size):  # a small one tells how large it may be, for little memory
            trial = prepare(appearance, _TRIAL, _TRIAL).size
            times = layout.too_large(size, (trial[0] * side // _TRIAL, trial[1] * side // _TRIAL)) / _TRUE
            side = layout.next_smaller(side, times) if times > 1 else side
        sprite = prepare(appearance, side, side)
        while side > 1 and (times := layout.too_large(size, sprite.size)) > 1:
            side = layout.next_smaller(side, times)
            sprite = prepare(appearance, side, side)
        return side, sprite

    def side_on(self, size: layout.Size) -> int:
        """Return the side of the square that the mark is to fill on a picture of `size`, before there is found room."""
        return layout.size_class(max(min(layout.measure(size) * self.size, 2 * max(size)), _SMALLEST))

    def _places(self, position: layout.Position, size: layout.Size, sprite: Sprite) -> list[layout.Spot]:
        plan = layout.Layout(
            position=position,
            tiling=self.tiling,
            spacing=self.spacing,
            margin=self.margin,
            angle=self._angle,
        )
        return layout.places(plan, size, sprite.size, sprite.flat)

    def _content(self, picture: Picture) -> Text | ImageMark | None:
        if self.text is not None:
            lines, font = wording.filled(self.text, picture, self.font)
            return Text(lines=lines, font=font)
        return find_image(self.image) if self.image else None

    @property
    def _color(self) -> str:
        return self.color or (AS_IS if self.image else AUTO)

    @property
    def keeps_grey(self) -> bool:
        """Whether the mark has no colours."""
        return self._color == AUTO or (self._color != AS_IS and len(set(ImageColor.getrgb(self._color))) == 1)

    @property
    def _effect(self) -> Effect:
        return self.effect or {AUTO: "outline", AS_IS: "none"}.get(self._color, "shadow")  # type: ignore[return-value]

    @property
    def _angle(self) -> float:
        return self.rotation if self.rotation is not None else 30.0 if self.position == "tile" else 0.0
