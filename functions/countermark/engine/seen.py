"""Whether a mark can be seen: looked at in parts of the picture, before and after, as the file will show them."""

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from .deep import Frame
from .errors import EmptyMark
from .layout import RASTER, Size, Spot
from .mark import Sprite
from .palette import NEAR

#: A pixel shows the mark when one of its channels has changed by so many levels of 255.
LEVELS = 4
#: By more levels than that it shows by far: also where colours and alpha are those of a palette that lie nearest.
BY_FAR = LEVELS + 2 * NEAR
#: So large a share of what a mark covers must show it, and so many pixels.
SHARE = 0.2
PIXELS = 12
#: Where a mark counts as covering a pixel, as a share of its strongest alpha.
COVERING = 1 / 8
_SMALL = 256 * 256  # pixels of a frame of which all is looked at
_PART = 64  # pixels of the side of a part; a multiple of every codec's unit, in whose raster parts lie
_PARTS = 40  # that are looked at, at most
_BAND = 128  # rows of two whole pictures that are compared at once
_ACROSS = 8  # parts in a row when they are put together

Copies = Sequence[tuple[Sprite, Sequence[Spot]]]
Rewrite = Callable[[Image.Image], Image.Image]
Box = tuple[int, int, int, int]
Parts = tuple[list[Box], list[NDArray[np.bool_]], float]  # boxes of the picture, where marks cover them, share of all


def enough(shown: float, covered: float, pixels: float) -> bool:
    """Tell whether a mark is seen that shows on `shown` of the `covered` samples, and on so many pixels."""
    return covered > 0 and shown >= SHARE * covered and pixels >= PIXELS


def unseen(size: Size) -> EmptyMark:
    """Return the error of a picture that does not show its mark."""
    if size[0] * size[1] > PIXELS / SHARE:
        return EmptyMark()
    return EmptyMark(f"A picture of {size[0]} x {size[1]} pixels is too small for a mark that can be seen.")


class Witness:
    """Parts of a frame under its marks, as they are before these are painted."""

    def __init__(self, frame: Frame, copies: Copies) -> None:
        """Look at the frame; `copies` are the marks that it will get, and where."""
        self._size = frame.size
        small = frame.width * frame.height <= _SMALL
        self._boxes, self._masks, self._share = (_all_of if small else _parts)(frame.size, copies)
        self._before = self._look(frame)

    def _look(self, frame: Frame) -> list[Image.Image]:
        return [frame.crop(box) for box in self._boxes]

    def check(self, frame: Frame, shown: Rewrite, written: Rewrite, lost: int) -> bool:
        """Raise `EmptyMark` when the marked frame does not show the mark; tell whether it shows it by far.

        `shown` brings an image to the mode of the result, `written` through its format and quality, which may take
        away as many levels as are `lost`.
        """
        if not self._boxes:
            raise EmptyMark
        images = [_together(parts) for parts in (self._before, self._look(frame))]
        mask = _mask(self._masks)
        change = difference(*(shown(image) for image in images))
        if not self._is_seen(change >= LEVELS, mask):
            raise unseen(self._size)
        if lost and not self._is_seen(change > lost, mask):
            again = difference(*(shown(written(shown(image))) for image in images))
            if not self._is_seen(again >= LEVELS, mask):
                raise EmptyMark("The mark is too faint for the quality of the result: raise its opacity or that.")
        return self._is_seen(change > BY_FAR, mask)

    def _is_seen(self, changed: NDArray[np.bool_], mask: NDArray[np.bool_]) -> bool:
        found, covered = int(np.count_nonzero(changed & mask)), int(np.count_nonzero(mask))
        return enough(found, covered, found / self._share)


def check_whole(before: Frame, after: Frame, covered: float, shown: Rewrite) -> None:
    """Raise `EmptyMark` when a frame does not show a mark on about a `covered` share of it.

    `before` is what the tasks behind the mark make of the frame without it; `shown` brings an image to the mode of the
    result.
    """
    if before.size != after.size:
        raise EmptyMark("A task behind the mark makes another size of the picture because of it.")
    found = 0
    for top in range(0, before.height, _BAND):  # levels take many times the memory of pixels
        box = (0, top, before.width, min(top + _BAND, before.height))
        found += int(np.count_nonzero(difference(shown(before.crop(box)), shown(after.crop(box))) >= LEVELS))
    if not enough(found, covered * before.width * before.height, found):
        raise EmptyMark("Nothing can be seen of the mark behind the tasks that follow it.")


def covered_share(size: Size, copies: Copies) -> float:
    """Return what share of a picture its marks cover."""
    pixels = sum(int(np.count_nonzero(_covering(sprite))) * len(spots) for sprite, spots in copies)
    return min(pixels / (size[0] * size[1]), 1.0)


def difference(before: Image.Image, after: Image.Image) -> NDArray[np.float32]:
    """Return by how many levels of 255 the pixels of two images differ, in the channel that differs most."""
    if before.mode == after.mode == "CMYK":  # inks may change places and look the same
        before, after = before.convert("RGB"), after.convert("RGB")
    if before.mode == after.mode and before.mode in {"L", "RGB"}:
        bands = ImageChops.difference(before, after).split()
        return np.asarray(reduce(ImageChops.lighter, bands)).astype(np.float32)
    one, other = _levels(before), _levels(after)
    if one.shape != other.shape:
        one, other = _levels(before.convert("RGBA")), _levels(after.convert("RGBA"))
    most: NDArray[np.float32] = np.abs(one - other).max(axis=2)
    return most


def _levels(image: Image.Image) -> NDArray[np.float32]:
    """Return the channels; what is transparent counts as it is seen on black and on white."""
    if image.mode in {"P", "1", "PA"}:
        image = image.convert("RGBA")
    levels = np.asarray(image).astype(np.float32)
    levels = levels.reshape(image.height, image.width, -1)
    if image.mode in {"LA", "RGBA"}:
        alpha = levels[..., -1:]
        black = levels[..., :-1] * (alpha / 255)
        return np.concatenate((black, black + (255 - alpha)), axis=2)
    return levels


def _covering(sprite: Sprite) -> NDArray[np.bool_]:
    alpha = np.asarray(sprite.image.getchannel("A"))
    covering: NDArray[np.bool_] = alpha >= max(float(alpha.max()) * COVERING, 1)
    return covering


def _all_of(size: Size, copies: Copies) -> Parts:
    """Return the whole picture as the one part."""
    mask = np.zeros((size[1], size[0]), dtype=bool)
    for sprite, spots in copies:
        covering = _covering(sprite)
        for x, y in spots:
            here = mask[max(y, 0) : max(y + sprite.size[1], 0), max(x, 0) : max(x + sprite.size[0], 0)]
            here |= covering[max(-y, 0) :, max(-x, 0) :][: here.shape[0], : here.shape[1]]
    return [(0, 0, *size)], [mask], 1.0


def _parts(size: Size, copies: Copies) -> Parts:
    """Return boxes of the picture that marks cover, evenly chosen, where they do, and what share of all these are."""
    boxes, masks, looked_at, all_of = [], [], 0, 0
    most = max(_PARTS // max(len(copies), 1), 1)
    for sprite, spots in copies:
        covering = _covering(sprite)
        tiles = list(_tiles(covering))
        count = len(tiles) * len(spots)
        # By chance, but always the same: at even distances it might be the same part of every copy.
        chosen = range(count) if count <= most else sorted(Random(count).sample(range(count), most))  # noqa: S311
        looked_at, all_of = looked_at + len(chosen), all_of + count
        for number in chosen:
            spot, tile = spots[number // len(tiles)], tiles[number % len(tiles)]
            if found := _part(size, covering, spot, tile):
                boxes.append(found[0])
                masks.append(found[1])
    return boxes, masks, looked_at / max(all_of, 1)


def _tiles(covering: NDArray[np.bool_]) -> Iterator[Spot]:
    """Yield the corners of the parts of a mark in which it covers anything."""
    for top in range(0, covering.shape[0], _PART):
        for left in range(0, covering.shape[1], _PART):
            if covering[top : top + _PART, left : left + _PART].any():
                yield left, top


def _part(size: Size, covering: NDArray[np.bool_], spot: Spot, tile: Spot) -> tuple[Box, NDArray[np.bool_]] | None:
    """Return the box of a picture in its raster that a part of a mark falls into, and where it is covered."""
    left, top = (max(spot[axis] + tile[axis], 0) // RASTER * RASTER for axis in (0, 1))
    right, bottom = min(left + _PART, size[0]), min(top + _PART, size[1])
    if left >= right or top >= bottom:
        return None
    mask = np.zeros((bottom - top, right - left), dtype=bool)
    x, y = left - spot[0], top - spot[1]  # of the box in the mark; negative where the box begins before it
    part = covering[max(y, 0) : max(y + mask.shape[0], 0), max(x, 0) : max(x + mask.shape[1], 0)]
    mask[max(-y, 0) :, max(-x, 0) :][: part.shape[0], : part.shape[1]] = part
    return (left, top, right, bottom), mask


def _together(parts: Sequence[Image.Image]) -> Image.Image:
    """Return one image of all parts."""
    if len(parts) == 1:
        return parts[0]
    rows = -(-len(parts) // _ACROSS)
    whole = Image.new(parts[0].mode, (_ACROSS * _PART, rows * _PART))
    for number, part in enumerate(parts):
        whole.paste(part, (number % _ACROSS * _PART, number // _ACROSS * _PART))
    return whole


def _mask(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return the masks as the parts lie in the image of all."""
    if len(masks) == 1:
        return masks[0]
    whole = np.zeros((-(-len(masks) // _ACROSS) * _PART, _ACROSS * _PART), dtype=bool)
    for number, mask in enumerate(masks):
        x, y = number % _ACROSS * _PART, number // _ACROSS * _PART
        whole[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    return whole
