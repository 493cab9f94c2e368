"""Where marks go: plain geometry, the same for every way of painting."""

import math
from dataclasses import dataclass
from typing import Literal

Position = Literal[
    "top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right", "tile"
]
Tiling = Literal["straight", "staggered", "diagonal"]

#: A picture carries at most about so many copies of a mark; smaller marks are drawn larger.
MAX_COPIES = 10_000
#: Copies whose distance is a multiple of this see the same raster of JPEG blocks and share their preparation.
RASTER = 16


Size = tuple[int, int]  # width, height in pixels
Spot = tuple[int, int]  # x, y of a top left corner in pixels


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the copies of a mark are spread over a picture."""

    position: Position
    tiling: Tiling
    spacing: float  # gap between copies as a fraction of the mark
    margin: float  # distance from the edge as a fraction of the shorter side
    angle: float  # of the mark, degrees counterclockwise; the rows of a diagonal tiling follow it


def places(layout: Layout, picture: Size, mark: Size, flat: Size) -> list[Spot]:
    """Return the top left corners of all copies, in pixels; some may lie partly outside.

    `picture` and `mark` are sizes (width, height) in pixels, `flat` is the mark's size before its rotation.
    """
    if layout.position != "tile":
        return [_anchor(layout, picture, mark)]
    if layout.tiling == "diagonal":
        return _along(layout, picture, mark, flat)
    return _rows(layout, picture, mark)


def narrowest(picture: Size) -> int:
    """Return how wide a tiled mark is at least, so that a picture has no more than about MAX_COPIES of it."""
    return math.ceil(max(math.sqrt(4 * picture[0] * picture[1] / MAX_COPIES), 4 * max(picture) / MAX_COPIES))


def size_class(length: float) -> int:
    """Return a length near `length`, one of 32 in each octave: pictures of nearly the same size share their marks."""
    return max(round(2 ** (round(math.log2(length) * 32) / 32)), 1)


def _anchor(layout: Layout, picture: Size, mark: Size) -> Spot:
    margin = round(layout.margin * min(picture))
    spot = []
    for axis, (first, last) in enumerate((("left", "right"), ("top", "bottom"))):
        free = picture[axis] - mark[axis]
        inside = min(margin, max(free, 0) // 2)
        if first in layout.position:
            spot.append(inside)
        elif last in layout.position:
            spot.append(free - inside)
        else:
            spot.append(free // 2)
    return spot[0], spot[1]


def _rows(layout: Layout, picture: Size, mark: Size) -> list[Spot]:
    """Upright rows and columns, centred; staggered shifts every other row by half a step."""
    step = [_step(mark[axis] * (1 + layout.spacing)) for axis in (0, 1)]
    middle = [_on_raster((picture[axis] - mark[axis]) / 2, step[axis]) for axis in (0, 1)]
    start = [middle[axis] % step[axis] - step[axis] for axis in (0, 1)]
    found = []
    for row, y in enumerate(range(start[1], picture[1], step[1])):
        shift = step[0] // 2 if layout.tiling == "staggered" and row % 2 else 0
        found += [(x, y) for x in range(start[0] - shift, picture[0], step[0]) if _shows(x, y, picture, mark)]
    return found


def _along(layout: Layout, picture: Size, mark: Size, flat: Size) -> list[Spot]:
    """Rows along the mark's own direction, every other one shifted by half a step."""
    turn = math.radians(layout.angle)
    across = (math.cos(turn), -math.sin(turn))
    down = (-across[1], across[0])
    step = (max(flat[0] * (1 + layout.spacing), 1), max(flat[1] * (1.5 + layout.spacing * 2), 1))
    centre = [(picture[axis] - mark[axis]) / 2 for axis in (0, 1)]
    reach = sum(abs(down[axis]) * (picture[axis] + mark[axis]) / 2 for axis in (0, 1))
    found = []
    for row in range(-math.ceil(reach / step[1]), math.ceil(reach / step[1]) + 1):
        origin = [centre[axis] + down[axis] * row * step[1] for axis in (0, 1)]
        first, last = _span(origin, across, picture, mark)
        shift = (row % 2) / 2
        for column in range(math.ceil(first / step[0] - shift), math.floor(last / step[0] - shift) + 1):
            way = (column + shift) * step[0]
            x, y = (_on_raster(origin[axis] + across[axis] * way, flat[1]) for axis in (0, 1))
            if _shows(x, y, picture, mark):
                found.append((x, y))
    return found


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
    """Return a step in pixels, on the raster when that is too small a change to be seen."""
    return max(round(length / RASTER), 1) * RASTER if length >= 8 * RASTER else max(round(length), 1)


def _on_raster(value: float, length: int) -> int:
    """Return a position in pixels, on the raster when marks of this length do not show it."""
    return round(value / RASTER) * RASTER if length >= 6 * RASTER else round(value)
