"""JPEG files marked in their DCT coefficients: every block that no mark touches stays as it was, bit for bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from PIL import Image, JpegImagePlugin

from .dct import DONE, TOOK_TOO_LONG, Component, kernel
from .decode import Opened
from .layout import Size, Spot
from .mark import Sprite
from .metadata import kept
from .paint import in_profile
from .stencil import Stencil, cut
from .task import Picture
from .tasks.watermark import Watermark
from .turned import as_stored, spot_as_stored, swaps

_SAMPLINGS = {(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)}
_LARGEST_MARK = 32_000_000  # pixels; the stencils of a larger mark take more memory than the picture
_UNIT = 8  # samples of a block in each direction


@dataclass(frozen=True, kw_only=True)
class Marked:
    """A marked JPEG file."""

    data: bytes
    width: int  # pixels, as seen
    height: int


def mark_lossless(opened: Opened, tasks: Sequence[object], picture: Picture) -> Marked | None:
    """Return the marked file, or None when it has to be marked on its pixels.

    The pixels are not turned upright: the marks are drawn the way the picture lies, and its orientation stays.
    """
    native, image = kernel(), opened.image
    if native is None or not isinstance(image, JpegImagePlugin.JpegImageFile) or not _suits(opened, tasks, picture):
        return None
    sampling = _sampling(image)
    if sampling is None:
        return None
    orientation = opened.exif.orientation
    width, height = image.size[::-1] if swaps(orientation) else image.size
    components = _components(tasks, (width, height), orientation, sampling, picture)
    if components is None:
        return None
    result, data = native.mark(opened.source, components, picture.deadline.left)
    if result == TOOK_TOO_LONG:
        picture.deadline.check()
    if result != DONE:
        return None
    metadata = kept(opened, picture.output, upright=False)
    return Marked(data=metadata.put_into_jpeg(data, image.mode), width=width, height=height)


def _suits(opened: Opened, tasks: Sequence[object], picture: Picture) -> bool:
    output = picture.output
    wanted = output.format == "JPEG" and output.quality == "keep"
    return wanted and opened.format == "JPEG" and all(isinstance(task, Watermark) for task in tasks)


def _sampling(image: JpegImagePlugin.JpegImageFile) -> tuple[tuple[int, int], ...] | None:
    """Return the sampling factors of the components, or None for a file that is not grey or YCbCr."""
    factors = tuple((int(layer[1]), int(layer[2])) for layer in image.layer)
    if image.mode == "L" and len(factors) == 1:
        return factors
    simple = len(factors) == 3 and factors[0] in _SAMPLINGS and set(factors[1:]) == {(1, 1)}
    return factors if image.mode == "RGB" and simple and image.info.get("adobe_transform", 1) == 1 else None


def _components(
    tasks: Sequence[object], size: Size, orientation: int, sampling: tuple[tuple[int, int], ...], picture: Picture
) -> list[Component] | None:
    """Return the marks of every component, or None when one cannot be painted on coefficients."""
    factors = ((1, 1),) if len(sampling) == 1 else sampling  # a lone component is never subsampled
    unit = [_UNIT * max(each[axis] for each in factors) for axis in (0, 1)]
    stencils: list[list[Stencil]] = [[] for _ in factors]
    places: list[list[tuple[int, int, int]]] = [[] for _ in factors]
    for task in tasks:
        assert isinstance(task, Watermark)  # noqa: S101 - checked by the caller
        stamp = task.stamp(size, picture)
        sprite = stamp.sprite
        large = sprite.size[0] * sprite.size[1] > _LARGEST_MARK
        if large or sprite.blend != "normal" or (len(factors) == 1 and not sprite.grey):
            return None
        spots = [spot_as_stored(spot, sprite.size, size, orientation) for spot in stamp.spots]
        for phase, corners in _by_phase(spots, unit).items():
            key, draw = (sprite.key, picture.profile, orientation), partial(_draw, sprite, picture, orientation)
            for number, found in enumerate(cut(key, draw, phase, factors)):
                step = [unit[axis] // factors[number][axis] for axis in (0, 1)]
                places[number] += [(len(stencils[number]), x // step[0], y // step[1]) for x, y in corners]
                stencils[number].append(found)
    return [
        Component(sampling=each, stencils=stencils[number], places=places[number])
        for number, each in enumerate(sampling)
    ]


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
