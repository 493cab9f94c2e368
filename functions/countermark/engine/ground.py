"""What a picture is like under its marks: from it come the colour of a mark and its calmest corner."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .deep import Deep, Frame
from .layout import Size, Spot

LIGHT, DARK = "#ffffff", "#000000"
_CELL = 8  # pixels of the picture that a level stands for, as of a block of a JPEG file
_CELLS = 6  # in which the ground under the shorter side of a mark is looked at
_DOUBT = 24  # levels around the turning point in which a mark takes the colour of the others

Levels = NDArray[np.uint8]


class Ground:
    """The brightness of an upright picture in small: one level for every few pixels."""

    def __init__(self, levels: Levels, size: Size) -> None:
        """Take the levels, 0 to 255, row by row, of a picture of `size` pixels."""
        self._levels = levels
        self._size = size
        self._scale = levels.shape[1] / size[0], levels.shape[0] / size[1]

    @classmethod
    def of(cls, image: Frame) -> "Ground":
        """Return the ground of an upright picture; what is transparent counts as white."""
        cell = max(min(_CELL, min(image.size) // _CELL), 1)
        if isinstance(image, Deep):
            image, size, cell = image.sampled(cell), image.size, 1
        else:
            size = image.size
        small = image
        if cell == _CELL:  # a fourth of the pixels in each direction tells as much, many times as fast
            small = image.resize((image.width // 4, image.height // 4), Image.Resampling.NEAREST).reduce(2)
        elif cell > 1:
            small = image.reduce(cell)
        if small.mode in {"LA", "RGBA"}:
            page = Image.new("RGBA", small.size, "white")
            page.alpha_composite(small.convert("RGBA"))
            small = page
        return cls(np.asarray(small.convert("RGB").convert("L")), size)

    def under(self, spots: Sequence[Spot], mark: Size) -> NDArray[np.float64]:
        """Return the mean level under each copy of a mark."""
        coarser = max(int(min(mark) * min(self._scale)) // _CELLS, 1)
        levels = np.asarray(Image.fromarray(self._levels).reduce(coarser)) if coarser > 1 else self._levels
        sums = np.zeros((levels.shape[0] + 1, levels.shape[1] + 1), dtype=np.int64)
        np.cumsum(np.cumsum(levels, axis=0, dtype=np.int64), axis=1, out=sums[1:, 1:])
        left, top, right, bottom = self._boxes(spots, mark, levels.shape)
        total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        means: NDArray[np.float64] = total / ((right - left) * (bottom - top))
        return means

    def calmest(self, spots: Sequence[Spot], mark: Size) -> Spot:
        """Return the spot where the picture has the least to be seen; the first of equally calm ones."""
        found = []
        for left, top, right, bottom in zip(*self._boxes(spots, mark, self._levels.shape), strict=True):
            part = self._levels[top:bottom, left:right].astype(np.float32)
            edges = sum(float(np.abs(np.diff(part, axis=axis)).mean()) for axis in (0, 1) if part.shape[axis] > 1)
            found.append(round(float(part.std()) + 2 * edges, 1))
        return spots[found.index(min(found))]

    def _boxes(self, spots: Sequence[Spot], mark: Size, cells: tuple[int, ...]) -> list[NDArray[np.int64]]:
        """Return left, top, right and bottom of each copy in so many cells (down, across), at least one of them."""
        corners = np.array(spots, dtype=np.float64)
        found: list[NDArray[np.int64]] = []
        for behind in (0, 1):
            for axis in (0, 1):
                edge = np.rint((corners[:, axis] + behind * mark[axis]) * (cells[1 - axis] / self._size[axis]))
                low = found[axis] + 1 if behind else 0
                found.append(np.clip(edge.astype(np.int64), low, cells[1 - axis] - 1 + behind))
        return found


def needs_dark(levels: NDArray[np.float64], opacity: float) -> NDArray[np.bool_]:
    """Tell for each copy, by the level under it, whether it is dark, to be told from its ground best.

    Where both colours do about the same, it has that of most others, for a picture's marks to be of one kind.
    """
    turning = turning_point(round(opacity, 3))
    dark: NDArray[np.bool_] = levels > turning
    doubtful = np.abs(levels - turning) < _DOUBT
    return np.where(doubtful, 2 * dark.sum() > len(dark), dark)


@lru_cache(maxsize=64)
def turning_point(opacity: float) -> float:
    """Return the level from which on black at this opacity has more contrast with its ground than white has."""
    levels = np.arange(256) / 255
    ground = luminance(levels)
    dark = (ground + 0.05) / (luminance(levels * (1 - opacity)) + 0.05)
    light = (luminance(levels + (1 - levels) * opacity) + 0.05) / (ground + 0.05)
    return float(np.argmax(dark >= light))


def luminance(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of sRGB values between 0 and 1."""
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
