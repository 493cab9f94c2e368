"""JPEG files marked in their DCT coefficients: every block that no mark touches stays as it was, bit for bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, JpegImagePlugin

from .color import is_rgb
from .dct import DONE, NO_MEMORY, TOOK_TOO_LONG, Component, Plane, Shown, kernel
from .decode import Opened
from .ground import Ground
from .layout import Size, Spot
from .mark import Sprite
from .metadata import kept
from .paint import in_profile
from .seen import enough, unseen
from .stencil import Stencil, cut
from .task import Output, Picture, attempting
from .tasks.watermark import Watermark
from .turned import as_stored, as_upright, spot_as_stored, swaps

_SAMPLINGS = {(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)}
_LARGEST_MARK = 32_000_000  # pixels; the stencils of a larger mark take more memory than the picture
_UNIT = 8  # samples of a block in each direction


@dataclass(frozen=True, kw_only=True)
class Marked:
    """A marked JPEG file."""

    data: bytes
    width: int  # pixels, as seen
    height: int


def suits_coefficients(opened: Opened, tasks: Sequence[object], output: Output) -> bool:
    """Tell whether a picture is to be marked in its coefficients, as far as its header and the options say."""
    wanted = opened.format == "JPEG" and output.format == "JPEG" and output.quality == "keep"
    return (
        wanted
        and all(isinstance(task, Watermark) for task in tasks)
        and kernel() is not None
        and _sampling(opened.image) is not None
    )


def mark_lossless(opened: Opened, tasks: Sequence[object], picture: Picture) -> Marked | None:
    """Return the marked file of a picture that suits, or None when it has to be marked on its pixels after all.

    The pixels are not turned upright: the marks are drawn the way the picture lies, and its orientation stays.
    """
    native, image = kernel(), opened.image
    sampling = _sampling(image)
    if native is None or sampling is None:
        return None
    orientation = opened.exif.orientation
    width, height = image.size[::-1] if swaps(orientation) else image.size
    plan = _Plan(tasks, (width, height), orientation, sampling, picture)
    try:
        result, data, shown = native.mark(opened.source, sampling, plan.decide, picture.deadline.left)
    except _NotOnCoefficients:
        return None
    if result == NO_MEMORY:
        raise MemoryError
    if result == TOOK_TOO_LONG:
        picture.deadline.check()
    if result != DONE:
        return None
    plan.check(shown)
    metadata = kept(opened, picture.output, upright=False)
    return Marked(data=metadata.put_into_jpeg(data, image.mode), width=width, height=height)


def _sampling(image: Image.Image) -> tuple[tuple[int, int], ...] | None:
    """Return the sampling factors of the components, or None for a file that is not grey or YCbCr."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return None
    factors = tuple((int(layer[1]), int(layer[2])) for layer in image.layer)
    if image.mode == "L" and len(factors) == 1:
        return factors
    simple = len(factors) == 3 and factors[0] in _SAMPLINGS and set(factors[1:]) == {(1, 1)}
    return factors if image.mode == "RGB" and simple and not is_rgb(image) else None


class _NotOnCoefficients(Exception):
    """A mark that has to be painted on pixels."""


class _Plan:
    """How a file is marked, which its own ground decides."""

    def __init__(
        self,
        tasks: Sequence[object],
        size: Size,
        orientation: int,
        sampling: tuple[tuple[int, int], ...],
        picture: Picture,
    ) -> None:
        """Take the tasks, the upright size, and how the picture lies in the file."""
        self._tasks, self._size, self._orientation, self._picture = tasks, size, orientation, picture
        self._factors = ((1, 1),) if len(sampling) == 1 else sampling  # a lone component is never subsampled
        most = [max(each[axis] for each in self._factors) for axis in (0, 1)]
        self._unit = [_UNIT * each for each in most]
        #: Pixels that a sample of each component stands for.
        self._pixels = [most[0] // across * (most[1] // down) for across, down in self._factors]
        self._owners: list[int] = []  # number of its task, for each stencil

    def decide(self, levels: Plane) -> list[Component]:
        """Return the marks of every component; raise `_NotOnCoefficients` when one cannot be painted there."""
        stencils: list[list[Stencil]] = [[] for _ in self._factors]
        places: list[list[tuple[int, int, int]]] = [[] for _ in self._factors]
        self._owners = []
        for number, task in enumerate(self._tasks):
            assert isinstance(task, Watermark)  # noqa: S101 - checked by the caller
            with attempting(task):
                stamps = task.stamps(self._size, self._picture, partial(self._ground, levels))
            if not all(self._suits(stamp.sprite) for stamp in stamps):
                raise _NotOnCoefficients
            with attempting(task):
                for sprite, spots in stamps:
                    self._add(sprite, spots, stencils, places)
            self._owners += [number] * (len(stencils[0]) - len(self._owners))
        return [Component(stencils=one, places=other) for one, other in zip(stencils, places, strict=True)]

    def check(self, shown: Sequence[Sequence[Shown]]) -> None:
        """Raise `EmptyMark` unless the mark of every task is seen in one of the components at least."""
        for number in range(len(self._tasks)):
            if not any(self._is_seen(number, found, self._pixels[each]) for each, found in enumerate(shown)):
                raise unseen(self._size)

    def _is_seen(self, task: int, found: Sequence[Shown], pixels: int) -> bool:
        mine = [each for each, owner in zip(found, self._owners, strict=True) if owner == task]
        samples = sum(each.shown / each.share for each in mine)
        return enough(samples, sum(each.covered / each.share for each in mine), samples * pixels)

    def _ground(self, levels: Plane) -> Ground:
        return Ground(np.asarray(as_upright(Image.fromarray(levels), self._orientation)), self._size)

    def _suits(self, sprite: Sprite) -> bool:
        large = sprite.size[0] * sprite.size[1] > _LARGEST_MARK
        return not large and sprite.blend == "normal" and (sprite.grey or len(self._factors) > 1)

    def _add(
        self, sprite: Sprite, spots: list[Spot], stencils: list[list[Stencil]], places: list[list[tuple[int, int, int]]]
    ) -> None:
        """Add the stencils and places of a mark for each component."""
        stored = [spot_as_stored(spot, sprite.size, self._size, self._orientation) for spot in spots]
        key = (sprite.key, self._picture.profile, self._orientation)
        draw = partial(_draw, sprite, self._picture, self._orientation)
        for phase, corners in _by_phase(stored, self._unit).items():
            for number, found in enumerate(cut(key, draw, phase, self._factors)):
                step = [self._unit[axis] // self._factors[number][axis] for axis in (0, 1)]
                places[number] += [(len(stencils[number]), x // step[0], y // step[1]) for x, y in corners]
                stencils[number].append(found)


def _by_phase(spots: list[Spot], unit: list[int]) -> dict[Spot, list[Spot]]:
    """Return the spots sorted by their offset in a raster of `unit` pixels, each as the raster's corner before it."""
    found: dict[Spot, list[Spot]] = {}
    for x, y in spots:
        phase = (x % unit[0], y % unit[1])
        found.setdefault(phase, []).append((x - phase[0], y - phase[1]))
    return found


def _draw(sprite: Sprite, picture: Picture, orientation: int) -> Image.Image:
    """Return a mark in the picture's colours, turned as the picture lies."""
    mark = in_profile(sprite, "RGB", picture.profile)
    mark.putalpha(sprite.image.getchannel("A"))
    return as_stored(mark, orientation)
