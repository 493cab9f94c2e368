"""Pictures with 16 bits in each sample. Pillow has no mode for them but in grey, so they are held in NumPy."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .layout import Spot
from .mark import Blend, Sprite
from .paint import in_profile

Samples = NDArray[np.uint16]

WHITE = 65_535
_STEP = 257  # 65,535 / 255
_GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_BAND = 256  # rows that are worked on at once in floating point


class Deep:
    """A picture of 16 bits; it gives parts of itself in 8 bits to whoever only looks."""

    def __init__(self, samples: Samples, mode: str) -> None:
        """Take the samples of an upright picture, height by width by bands."""
        self.samples, self.mode = samples, mode
        self.info: dict[str | tuple[int, int], Any] = {}

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.samples.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.samples.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def has_alpha(self) -> bool:
        """Whether the last band is alpha."""
        return self.mode in {"LA", "RGBA"}

    def copy(self) -> "Deep":
        """Return a picture that changes by itself."""
        return Deep(self.samples.copy(), self.mode)

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """Return a part in 8 bits."""
        left, top, right, bottom = box
        return _shallow(self.samples[top:bottom, left:right], self.mode)

    def shallow(self) -> Image.Image:
        """Return the whole picture in 8 bits."""
        return _shallow(self.samples, self.mode)

    def sampled(self, every: int) -> Image.Image:
        """Return every so manieth pixel of each row and column in 8 bits."""
        return _shallow(self.samples[::every, ::every], self.mode)

    def painted(self, sprite: Sprite, spots: Sequence[Spot], profile: bytes | None) -> "Deep":
        """Return the picture with the mark at every spot, blended in floating point; it is changed in place."""
        if self.mode in {"L", "LA"} and not sprite.grey:
            self._color()
        mark = np.asarray(in_profile(sprite, self.mode.removesuffix("A"), profile)).reshape(*sprite.size[::-1], -1)
        alpha = np.asarray(sprite.image.getchannel("A"))[..., None]
        for x, y in spots:
            here = self.samples[max(y, 0) : max(y + sprite.size[1], 0), max(x, 0) : max(x + sprite.size[0], 0)]
            left, top = max(-x, 0), max(-y, 0)
            for row in range(0, here.shape[0], _BAND):
                band = here[row : row + _BAND]
                there = np.s_[top + row : top + row + len(band), left : left + band.shape[1]]
                self._blend(band, mark[there], alpha[there], sprite.blend)
        return self

    def _blend(self, here: Samples, mark: NDArray[np.uint8], alpha: NDArray[np.uint8], blend: Blend) -> None:
        """Paint a part of a mark on the samples under it."""
        way = _over if self.has_alpha else _onto
        colors, covering = mark.astype(np.float32) * _STEP, alpha.astype(np.float32) / 255
        blended = way(here.astype(np.float32), colors, covering, blend, self.mode)
        here[...] = np.where(alpha > 0, np.rint(blended).clip(0, WHITE).astype(np.uint16), here)

    def resized(self, size: tuple[int, int]) -> "Deep":
        """Return the picture in another size; what is transparent gives no colour to what is not."""
        bands: list[Floats] = [self.samples[..., each].astype(np.float32) for each in range(self.samples.shape[2])]
        if self.has_alpha:
            share = bands[-1] / WHITE
            bands[:-1] = [band * share for band in bands[:-1]]
        scaled = [
            np.asarray(Image.fromarray(band).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)) for band in bands
        ]
        if self.has_alpha:
            share = np.maximum(scaled[-1], 1) / WHITE
            scaled[:-1] = [band / share for band in scaled[:-1]]
        return Deep(np.rint(np.stack(scaled, axis=2)).clip(0, WHITE).astype(np.uint16), self.mode)

    def greyed(self) -> "Deep":
        """Return the picture's lightness, of red, green and blue."""
        if self.mode in {"L", "LA"}:
            return self
        grey = np.empty(self.samples.shape[:2], dtype=np.uint16)
        for band, lightness in zip(bands_of(self.samples), bands_of(grey), strict=True):
            lightness[...] = np.rint(band[..., :3] @ _GREY_WEIGHTS)
        bands = [grey, self.samples[..., 3]] if self.has_alpha else [grey]
        return Deep(np.stack(bands, axis=2), "LA" if self.has_alpha else "L")

    def _color(self) -> None:
        alpha = [self.samples[..., 1]] if self.has_alpha else []
        self.samples = np.stack([self.samples[..., 0]] * 3 + alpha, axis=2)
        self.mode = "RGBA" if alpha else "RGB"


Frame: TypeAlias = Image.Image | Deep


def shallow(frame: Frame) -> Image.Image:
    """Return a frame in 8 bits."""
    return frame.shallow() if isinstance(frame, Deep) else frame


def _shallow(samples: Samples, mode: str) -> Image.Image:
    """Return samples in 8 bits, rounded."""
    height, width, bands = samples.shape
    small = np.empty((height, width, bands), dtype=np.uint8)
    for band, rounded in zip(bands_of(samples), bands_of(small), strict=True):
        rounded[...] = (band.astype(np.uint32) + _STEP // 2) // _STEP
    return Image.frombytes(mode, (width, height), small.tobytes())


Floats = NDArray[np.floating[Any]]


def _onto(ground: Floats, mark: Floats, alpha: Floats, blend: Blend, mode: str) -> Floats:
    """Return the mark on a ground that is solid."""
    color = mark if blend == "normal" else _mixed(ground, mark, blend, mode)
    return ground + (color - ground) * alpha


def _over(ground: Floats, mark: Floats, alpha: Floats, blend: Blend, mode: str) -> Floats:
    """Return the mark on a ground that has an alpha of its own."""
    color, below = ground[..., :-1], ground[..., -1:] / WHITE
    if blend != "normal":  # where the picture is transparent there is nothing to mix with
        mark = mark + (_mixed(color, mark, blend, mode) - mark) * below
    whole = alpha + below * (1 - alpha)
    mixed = (mark * alpha + color * below * (1 - alpha)) / np.maximum(whole, 1e-9)
    return np.concatenate([mixed, whole * WHITE], axis=2)


def _mixed(ground: Floats, mark: Floats, blend: Blend, mode: str) -> Floats:
    if (blend == "multiply") != (mode == "CMYK"):  # inks multiply where lights screen
        return ground * mark / WHITE
    return WHITE - (WHITE - ground) * (WHITE - mark) / WHITE


def bands_of(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield parts of all rows that are worked on at once."""
    return (values[row : row + _BAND] for row in range(0, len(values), _BAND))
