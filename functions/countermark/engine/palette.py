"""Pictures that came with a palette get one again, for a drawing of a few colours is many times smaller so.

What the source shows keeps its exact colours. Those that the marks bring, at their soft edges and where the ground
shines through, share what is left of the 256 entries, as long as they lie near them. Where they do not, as on a
photograph that fills its palette, the picture stays in full colours.
"""

import heapq

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ENTRIES = 256
#: Levels of 255 by which a colour may be changed in any channel; marks that show by many more still show then.
NEAR = 20
_MOST_COLORS = 65_536
_BAND = 1 << 20  # pixels that are worked on at once

Colors = NDArray[np.uint8]  # row by row, as many columns as channels


def with_palette(image: Image.Image, source: Image.Image, *, exact: bool) -> Image.Image | None:
    """Return an image in mode P, or None when it has too many colours for it, or is in grey anyway.

    `source` is what it was made of, with its palette; `exact` says that no colour may be changed.
    """
    found = image.getcolors(_MOST_COLORS) if image.mode in {"RGB", "RGBA"} else None
    if found is None:
        return None
    colors = np.array(sorted(color for _, color in found), dtype=np.uint8)
    entries, mapped = colors, np.arange(len(colors))
    if len(colors) > ENTRIES:
        own = _is_of(colors, source)
        if exact or own.sum() >= ENTRIES:
            return None
        entries, mapped = _shared(colors, own)
        if np.abs(entries[mapped].astype(np.int16) - colors).max() > NEAR:
            return None
    result = Image.fromarray(_mapped(image, colors, mapped).reshape(image.height, image.width))
    result = result.convert("P") if result.mode != "P" else result
    result.putpalette(entries[:, :3].tobytes())
    if image.mode == "RGBA":
        result.info["transparency"] = entries[:, 3].tobytes()
    return result


def _packed(colors: Colors) -> NDArray[np.uint32]:
    """Return colours as numbers that are in the same order."""
    whole = np.zeros((len(colors), 4), dtype=np.uint8)
    whole[:, : colors.shape[1]] = colors
    return whole.view(">u4").ravel().astype(np.uint32)


def _mapped(image: Image.Image, colors: Colors, mapped: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return for each pixel what its colour, one of the sorted ones, is mapped to."""
    pixels, known = np.asarray(image).reshape(-1, colors.shape[1]), _packed(colors)
    found = np.empty(len(pixels), dtype=np.uint8)
    for at in range(0, len(pixels), _BAND):
        found[at : at + _BAND] = mapped[np.searchsorted(known, _packed(pixels[at : at + _BAND]))]
    return found


def _is_of(colors: Colors, source: Image.Image) -> NDArray[np.bool_]:
    """Tell for each colour whether it is in the palette of a source."""
    palette = np.array(source.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    alpha = np.full((len(palette), 1), 255, dtype=np.uint8)
    key = source.info.get("transparency")
    if isinstance(key, bytes):
        alpha[: len(key), 0] = np.frombuffer(key, dtype=np.uint8)[: len(palette)]
    elif isinstance(key, int):
        alpha[key : key + 1] = 0
    whole = np.concatenate([palette, alpha], axis=1)
    return np.isin(_packed(colors), _packed(whole[:, : colors.shape[1]]))


def _shared(colors: Colors, own: NDArray[np.bool_]) -> tuple[Colors, NDArray[np.int64]]:
    """Return entries of a palette, and the one that stands for each of the colours; those that are `own` have theirs.

    The others are parted where they lie widest apart, until there are as many groups as there is room for.
    """
    kept = np.flatnonzero(own)
    groups: list[tuple[int, int, NDArray[np.int64]]] = []
    _add(groups, colors, np.flatnonzero(~own))
    while len(groups) < ENTRIES - len(kept) and groups[0][0] < 0:
        _, _, members = heapq.heappop(groups)
        values = colors[members].astype(np.int16)
        axis = int(np.ptp(values, axis=0).argmax())
        middle = (int(values[:, axis].min()) + int(values[:, axis].max())) / 2
        low = values[:, axis] <= middle
        _add(groups, colors, members[low])
        _add(groups, colors, members[~low])
    mapped = np.empty(len(colors), dtype=np.int64)
    mapped[kept] = np.arange(len(kept))
    entries = [colors[kept]]
    for number, (_, _, members) in enumerate(groups, len(kept)):
        values = colors[members].astype(np.int16)
        entries.append(((values.min(axis=0) + values.max(axis=0)) // 2).astype(np.uint8)[None])
        mapped[members] = number
    return np.concatenate(entries), mapped


def _add(groups: list[tuple[int, int, NDArray[np.int64]]], colors: Colors, members: NDArray[np.int64]) -> None:
    """Add a group; the one whose colours lie widest apart comes first."""
    width = int(np.ptp(colors[members].astype(np.int16), axis=0).max())
    heapq.heappush(groups, (-width, int(members[0]), members))
