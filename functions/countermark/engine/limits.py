"""How much one image may ask for."""

import time
from dataclasses import dataclass

from .claims import Claims
from .errors import FileTooLarge, ResultTooLarge, TookTooLong, TooManyFrames, TooManyPixels

MEGA = 1_000_000
#: What a result may have, in bytes, whatever it is made from, and how many times the file that it is made from.
RESULT_ANY, RESULT_TIMES = 64 * MEGA, 20
#: How many times the largest file that is taken a result may have at the most.
RESULT_MOST = 4


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that one image may have; what is beyond raises an `ImageError` before it is decoded."""

    max_pixels: int = 100 * MEGA  # width x height, all frames together
    max_frames: int = 1000
    max_bytes: int = 100 * 1024 * 1024  # of the file
    seconds: float = 60.0  # of processor time, looked at between steps


class Deadline:
    """The end of an image's processor time in this thread; a codec can't be interrupted, so it is asked between steps.

    It is not the time on the wall, in which a machine with other work may do nothing for an image.
    """

    def __init__(self, seconds: float) -> None:
        """Start the clock."""
        self.seconds = seconds
        self._end = time.thread_time() + seconds

    @property
    def left(self) -> float:
        """Seconds until the end, negative behind it."""
        return self._end - time.thread_time()

    def check(self) -> None:
        """Raise `TookTooLong` when the time is over."""
        if self.left < 0:
            raise TookTooLong(f"The image took longer than the {self.seconds:g} seconds that are allowed.")


def check_bytes(size: int, limits: Limits) -> None:
    """Raise `FileTooLarge` when a file of `size` bytes is not allowed."""
    if size > limits.max_bytes:
        raise FileTooLarge(
            f"The file has {size / MEGA:,.1f} million bytes; "
            f"at most {limits.max_bytes / MEGA:,.1f} million are allowed."
        )


def most_of_result(source: int, limits: Limits) -> int:
    """Return how many bytes a result may have that is made from a file of `source` bytes."""
    return min(RESULT_ANY + RESULT_TIMES * source, RESULT_MOST * limits.max_bytes)


def check_result(size: int, source: int, limits: Limits) -> None:
    """Raise `ResultTooLarge` when no result of `size` bytes may be made from a file of `source` bytes."""
    most = most_of_result(source, limits)
    if size > most:
        raise ResultTooLarge(
            f"The marked image would have {size / MEGA:,.0f} million bytes, made from {source / MEGA:,.2f} million; "
            f"at most {most / MEGA:,.0f} million are allowed."
        )


def check_pixels(width: int, height: int, frames: int, limits: Limits) -> None:
    """Raise `TooManyPixels` or `TooManyFrames` for a picture of this size."""
    if frames > limits.max_frames:
        raise TooManyFrames(f"The animation has {frames} frames; at most {limits.max_frames} are allowed.")
    pixels = width * height * frames
    if pixels > limits.max_pixels:
        raise TooManyPixels(
            f"The picture has {_in_words(pixels)} pixels; at most {_in_words(limits.max_pixels)} are allowed."
        )


def check_claims(claims: Claims, limits: Limits, *, animated: bool) -> None:
    """Raise `TooManyPixels` or `TooManyFrames` for what a file says; `animated` counts all frames."""
    check_pixels(claims.largest, 1, 1, limits)
    if animated:
        check_pixels(0, 0, claims.frames, limits)
        check_pixels(claims.pixels, 1, 1, limits)


def _in_words(pixels: int) -> str:
    """Return a number of pixels as a person says it."""
    return f"{pixels / MEGA:,.0f} million" if pixels >= MEGA else f"{pixels:,}"
