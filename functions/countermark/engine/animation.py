"""Frames as files store them become pictures as viewers show them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

#: What becomes of a frame's place when its time is over: it stays, is cleared, or what was there before comes back.
STAYS, CLEARED, PREVIOUS = range(3)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame as it is stored."""

    size: tuple[int, int]
    corner: tuple[int, int]
    duration: float  # milliseconds
    disposal: int
    over: bool  # drawn over what is there, and not in its place
    decode: Callable[[], Image.Image]  # in 8 bits


@dataclass(frozen=True, kw_only=True)
class Animation:
    """An animation whose frames are not decoded yet."""

    size: tuple[int, int]
    plays: int  # 0 is for ever
    clear: bool  # whether something may show through
    frames: list[Frame]

    def read(self) -> Iterator[Image.Image]:
        """Decode frame after frame, in one mode; each has its `duration` in its `info`."""
        mode = "RGBA" if self.clear else "RGB"
        canvas = Image.new(mode, self.size)
        for number, frame in enumerate(self.frames):
            box = (*frame.corner, frame.corner[0] + frame.size[0], frame.corner[1] + frame.size[1])
            back = frame.disposal == PREVIOUS and number > 0
            before = canvas.crop(box) if back else Image.new(mode, frame.size)
            _draw(canvas, frame)
            shown = canvas.copy()
            shown.info["duration"] = frame.duration
            yield shown
            if frame.disposal != STAYS:
                canvas.paste(before, frame.corner)


def needs_alpha(frames: list[Frame], size: tuple[int, int]) -> bool:
    """Tell whether frames without a transparent pixel leave a part of the picture empty."""
    first = frames[0]
    covers = first.corner == (0, 0) and first.size[0] >= size[0] and first.size[1] >= size[1]
    return not covers or first.disposal == PREVIOUS or any(frame.disposal == CLEARED for frame in frames)


def _draw(canvas: Image.Image, frame: Frame) -> None:
    image = frame.decode()
    if not frame.over or not image.has_transparency_data:
        canvas.paste(image.convert(canvas.mode), frame.corner)
        return
    image = image.convert("RGBA")
    if canvas.mode == "RGBA":
        canvas.alpha_composite(image, frame.corner)
    else:
        canvas.paste(image, frame.corner, image)
