"""Marks prepared for the blocks of JPEG files.

A stencil holds the 8 x 8 blocks of one component that a mark touches: what share of each of the picture's
samples stays, and what the mark adds. Copies of a mark whose distance is a whole number of blocks share it.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .cache import ByteCache
from .seen import COVERING, LEVELS

#: Stencils are kept up to so many bytes in a process; a tiled mark on 12 megapixels takes about 5 of them.
CACHE_BYTES = 96 * 1024 * 1024
WHOLE = 65_535  # share of a sample that stays entirely
#: By so much a sample of brightness or of colour changes when a pixel changes by LEVELS in red, green or blue.
_LEVELS = (LEVELS, LEVELS / 1.402, LEVELS / 1.402)
_BAND = 256  # rows of a mark that are worked on at once: a multiple of every unit of blocks
_STEPS = 128  # in which the mark's part is counted, per sample value
_TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], dtype=np.float32
)

Floats = NDArray[np.float32]
Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Stencil:
    """The touched blocks of a mark in one component, row by row."""

    starts: NDArray[np.int32]  # row r holds the blocks starts[r] to starts[r + 1]
    columns: NDArray[np.int32]  # of each block, counted from the mark's first
    keep: NDArray[np.uint16]  # blocks x 64, column by column: share of the picture that stays
    add: NDArray[np.int16]  # blocks x 64, the same: what the mark adds, around mid grey
    levels: float  # a sample shows the mark when it has changed by so much
    most_kept: int  # of `keep`, where the mark counts as covering a sample

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.starts.nbytes + self.columns.nbytes + self.keep.nbytes + self.add.nbytes


class _Band(NamedTuple):
    """Some rows of a stencil."""

    starts: NDArray[np.int32]
    columns: NDArray[np.int32]
    keep: NDArray[np.uint16]
    add: NDArray[np.int16]


_stencils: ByteCache[tuple[Stencil, ...]] = ByteCache(CACHE_BYTES, lambda found: sum(each.bytes for each in found))


def cut(key: Hashable, draw: Callable[[], Image.Image], phase: Pair, sampling: tuple[Pair, ...]) -> tuple[Stencil, ...]:
    """Return the stencils of the mark that `draw` returns as RGBA, for every component of a JPEG file.

    `key` is what the mark is known by, `phase` where its top left corner lies in the file's raster of whole units
    (x, y in pixels), `sampling` the horizontal and vertical factors of the components.
    """
    return _stencils.get((key, phase, sampling), lambda: _cut(draw(), phase, sampling))


def _cut(mark: Image.Image, phase: Pair, sampling: tuple[Pair, ...]) -> tuple[Stencil, ...]:
    across, down = (max(factors[axis] for factors in sampling) for axis in (0, 1))
    width = -(-(phase[0] + mark.width) // (8 * across)) * 8 * across
    height = -(-(phase[1] + mark.height) // (8 * down)) * 8 * down
    canvas = Image.new("RGBA", (width, height))
    canvas.paste(mark, phase)
    found: list[list[_Band]] = [[] for _ in sampling]
    for top in range(0, height, _BAND):  # floating point takes eight times the memory: never the whole mark at once
        band = canvas.crop((0, top, width, min(top + _BAND, height)))
        alpha = np.asarray(band.getchannel("A"), dtype=np.float32) / np.float32(255)
        colors = np.asarray(band.convert("RGB"), dtype=np.float32)
        for component, factors in enumerate(sampling):
            color = colors @ _TO_YCBCR[component] - np.float32(128 if component == 0 else 0)
            step = (across // factors[0], down // factors[1])
            found[component].append(_blocks(_reduced(alpha, step), _reduced(alpha * color, step)))
    strongest = max(mark.getchannel("A").tobytes()) / 255
    return tuple(_joined(bands, _LEVELS[each], strongest) for each, bands in enumerate(found))


def _joined(bands: list[_Band], levels: float, strongest: float) -> Stencil:
    """Return the stencil of a whole mark from its bands; `strongest` is its largest alpha, 0 to 1."""
    before = np.cumsum([0, *(len(band.columns) for band in bands)], dtype=np.int32)
    starts = [band.starts[:-1] + first for band, first in zip(bands, before, strict=False)]
    return Stencil(
        starts=np.concatenate([*starts, before[-1:]]).astype(np.int32),
        columns=np.concatenate([band.columns for band in bands]),
        keep=np.concatenate([band.keep for band in bands]),
        add=np.concatenate([band.add for band in bands]),
        levels=levels,
        most_kept=round((1 - strongest * COVERING) * WHOLE),
    )


def _reduced(plane: Floats, step: Pair) -> Floats:
    """Return the means of `step` (across, down) samples, as an encoder makes its chroma."""
    if step == (1, 1):
        return plane
    # Sums of slices: NumPy's own means over two axes take ten times as long.
    parts = [plane[row :: step[1], column :: step[0]] for row in range(step[1]) for column in range(step[0])]
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    total /= len(parts)
    return total


def _blocks(alpha: Floats, part: Floats) -> _Band:
    rows, columns = alpha.shape[0] // 8, alpha.shape[1] // 8
    shares, parts = (plane.reshape(rows, 8, columns, 8).transpose(0, 2, 3, 1) for plane in (alpha, part))
    touched = alpha.reshape(rows, 8, -1).max(axis=1).reshape(rows, columns, 8).max(axis=2) > 0
    keep = np.rint((1 - shares[touched]) * WHOLE).astype(np.uint16).reshape(-1, 64)
    add = np.rint(parts[touched] * _STEPS).astype(np.int16).reshape(-1, 64)
    starts = np.concatenate([[0], touched.sum(axis=1).cumsum()]).astype(np.int32)
    return _Band(starts, np.nonzero(touched)[1].astype(np.int32), keep, add)
