"""Where marks go: plain geometry, the same for every way of painting."""

import math
from dataclasses import dataclass
from typing import Literal

Corner = Literal["bottom-right", "bottom-left", "top-right", "top-left"]
Position = Literal[
    "top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right", "auto", "tile"
]
Tiling = Literal["staggered", "straight", "diagonal"]

#: Where "auto" may put a mark; the first of equally good ones is taken.
CORNERS: tuple[Corner, ...] = ("bottom-right", "bottom-left", "top-right", "top-left")
#: A picture carries at most about so many copies of a mark; smaller marks stand further apart.
MAX_COPIES = 10_000
#: Copies whose distance is a multiple of this see the same raster of JPEG blocks and share their preparation.
RASTER = 16
_FREE = 0.04  # of a mark is at least between two of them
_ROOM = 0.94  # of the picture that a mark may take


Size = tuple[int, int]  # width, height in pixels
Spot = tuple[int, int]  # x, y of a top left corner in pixels


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the copies of a mark are spread over a picture."""

    position: Position  # any but "auto"
    tiling: Tiling
    spacing: float  # gap between copies as a fraction of the mark
    margin: float  # distance from the edge as a fraction of the shorter side
    angle: float  # of the mark, degrees counterclockwise; the rows of a diagonal tiling follow it


def places(layout: Layout, picture: Size, mark: Size, flat: Size) -> list[Spot]:
    """Return the top left corners of all copies, in pixels.

    All are whole but those of a diagonal tiling, which runs on over the edges. `picture` and `mark` are sizes
    (width, height) in pixels, `flat` is the mark's size before its rotation.
    """
    if layout.position != "tile":
        return [_anchor(layout, picture, mark)]
    if layout.tiling == "diagonal":
        return _along(layout, picture, mark, flat)
    return _rows(layout, picture, mark)


def measure(picture: Size) -> float:
    """Return the length that sizes are fractions of: the side of a square as large as the picture."""
    return math.sqrt(picture[0] * picture[1])


def too_large(picture: Size, mark: Size) -> float:
    """Return how many times larger than its room in the picture a mark is; up to 1 it fits."""
    return max(mark[axis] / max(picture[axis] * _ROOM, 1) for axis in (0, 1))


def is_whole(spot: Spot, picture: Size, mark: Size) -> bool:
    """Tell whether a copy lies in the picture with all of it."""
    return all(0 <= spot[axis] <= picture[axis] - mark[axis] for axis in (0, 1))


def size_class(length: float) -> int:
    """Return a length near `length`, one of 32 in each octave: pictures of nearly the same size share their marks."""
    return max(round(2 ** (round(math.log2(max(length, 1)) * 32) / 32)), 1)


def next_smaller(length: int, times: float) -> int:
    """Return a length of a class that is at least `times` smaller, and smaller in any case."""
    return max(min(math.floor(2 ** (math.floor(math.log2(length / times) * 32) / 32)), length - 1), 1)


def _anchor(layout: Layout, picture: Size, mark: Size) -> Spot:
    margin = round(layout.margin * min(picture))
    spot = []
    for axis, (first, last) in enumerate((("left", "right"), ("top", "bottom"))):
        free = max(picture[axis] - mark[axis], 0)
        inside = min(margin, free // 2)
        if first in layout.position:
            spot.append(inside)
        elif last in layout.position:
            spot.append(free - inside)
        else:
            spot.append(free // 2)
    return spot[0], spot[1]


def _rows(layout: Layout, picture: Size, mark: Size) -> list[Spot]:
    """Whole marks in rows and columns, centred; staggered has every other row between the columns, one mark fewer."""
    counts = [_count(picture[axis], mark[axis], layout.spacing) for axis in (0, 1)]
    if (most := counts[0] * counts[1] / MAX_COPIES) > 1:
        counts = [max(math.floor(count / math.sqrt(most)), 1) for count in counts]
        counts = [max(min(counts[axis], MAX_COPIES // counts[1 - axis]), 1) for axis in (0, 1)]
    step = [_step(picture[axis] / counts[axis]) for axis in (0, 1)]
    start = [_start(picture[axis], mark[axis], step[axis] * (counts[axis] - 1)) for axis in (0, 1)]
    between = layout.tiling == "staggered" and counts[0] > 1
    found = []
    for row in range(counts[1]):
        shifted = between and row % 2
        x, y = start[0] + (step[0] // 2 if shifted else 0), start[1] + row * step[1]
        found += [(x + column * step[0], y) for column in range(counts[0] - 1 if shifted else counts[0])]
    return found


def _count(length: int, mark: int, spacing: float) -> int:
    """Return how many whole marks stand along a side, about as far apart as is wished."""
    return max(min(round(length / (mark * (1 + spacing))), math.floor(length / (mark * (1 + _FREE)))), 1)


def _start(length: int, mark: int, span: int) -> int:
    """Return where the first mark stands for all of them to be in the middle."""
    middle = (length - mark - span) / 2
    near = _on_raster(middle, mark)
    return near if 0 <= near <= length - mark - span else math.floor(middle)


def _along(layout: Layout, picture: Size, mark: Size, flat: Size) -> list[Spot]:
    """Rows along the mark's own direction, every other one shifted by half a step."""
    turn = math.radians(layout.angle)
    across = (math.cos(turn), -math.sin(turn))
    down = (-across[1], across[0])
    step = (max(flat[0] * (1 + layout.spacing), 1), max(flat[1] * (1.5 + layout.spacing * 2), 1))
    wider = math.sqrt(max((picture[0] + mark[0]) * (picture[1] + mark[1]) / (step[0] * step[1] * MAX_COPIES), 1))
    step = (step[0] * wider, step[1] * wider)
    centre = [(picture[axis] - mark[axis]) / 2 for axis in (0, 1)]
    reach = sum(abs(down[axis]) * (picture[axis] + mark[axis]) / 2 for axis in (0, 1))
    found = []
    for row in range(-math.ceil(reach / step[1]), math.ceil(reach / step[1]) + 1):
        origin = [centre[axis] + down[axis] * row * step[1] for axis in (0, 1)]
        first, last = _span(origin, across, picture, mark)
        shift = (row % 2) / 2
        for column in range(math.ceil(first / step[0] - shift), math.floor(last / step[0] - shift) + 1):
            way = (column + shift) * step[0]
            corner = [origin[axis] + across[axis] * way for axis in (0, 1)]
            x, y = (_along_raster(corner[axis], flat[1], picture[axis] - mark[axis]) for axis in (0, 1))
            if _shows(x, y, picture, mark):
                found.append((x, y))
    return found


def _along_raster(value: float, length: int, last: int) -> int:
    """Return a position on the raster, unless that pushes over an edge what is whole from 0 to `last`."""
    near = _on_raster(value, length)
    return near if 0 <= near <= last else round(value)


def _span(origin: list[float], direction: tuple[float, float], picture: Size, mark: Size) -> tuple[float, float]:
    """Return from where to where on the line a mark's corner may lie for the mark to show."""
    first, last = -math.inf, math.inf
    for axis in (0, 1):
        low, high = -mark[axis] - RASTER - origin[axis], picture[axis] + RASTER - origin[axis]
        if abs(direction[axis]) > 1e-9:
            ends = sorted((low / direction[axis], high / direction[axis]))
            first, last = max(first, ends[0]), min(last, ends[1])
        elif not low <= 0 <= high:
            return 0.0, -1.0
    return first, last


def _shows(x: int, y: int, picture: Size, mark: Size) -> bool:
    return -mark[0] < x < picture[0] and -mark[1] < y < picture[1]


def _step(length: float) -> int:
    """Return a step in pixels that is no longer; on the raster, with its half, when that is too small to be seen."""
    unit = 2 * RASTER if length >= 16 * RASTER else RASTER if length >= 8 * RASTER else 1
    return max(math.floor(length / unit), 1) * unit


def _on_raster(value: float, length: int) -> int:
    """Return a position in pixels, on the raster when marks of this length do not show it."""
    return round(value / RASTER) * RASTER if length >= 6 * RASTER else round(value)
