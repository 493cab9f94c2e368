"""What moves: how long each frame stays, and how often they are all played, in the way of every format."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image

from .animation import Animation
from .apng import read_apng, write_apng
from .avif import plays_of_avif, with_plays
from .errors import CannotEncode
from .gif import read_gif, write_gif

FOR_EVER = 0
_MOST_PLAYS = 65_535
# Whole pictures of a WebP animation are so many frames apart, at least and at most. With the usual 3 and 5 many a frame
# is encoded twice: 1.2 to 1.8 times the time and, where only a part moves, 1.6 times the bytes.
_WEBP_KEY_FRAMES = (29, 60)
#: The longest time of a frame, in milliseconds.
_LONGEST = {"GIF": 655_350, "WebP": 2**24 - 1, "AVIF": 2**31 - 1}
_GIF_UNIT = 10  # milliseconds


def read_animation(image: Image.Image, source: bytes, form: str) -> Animation | None:
    """Return the animation in a GIF or PNG file; None for other formats, and when the picture is still."""
    if form == "GIF":
        return read_gif(source, image.size)
    return read_apng(source) if form == "PNG" else None


def plays_of(image: Image.Image, source: bytes, form: str) -> int:
    """Return how often the frames of a WebP or AVIF file are played; 0 is for ever."""
    return plays_of_avif(source) if form == "AVIF" else int(image.info.get("loop", FOR_EVER))


def frames_of(image: Image.Image, count: int) -> Iterator[Image.Image]:
    """Yield an image at each of `count` frames, or pages; it is not decoded yet."""
    for number in range(count):
        if number:
            image.seek(number)
        yield image


class Clock:
    """Times of frames in the units of a format.

    What the units cannot say is made up for by the next frames, so that all together they take as long as before.
    """

    def __init__(self, form: str) -> None:
        """Begin for a format."""
        self._form = form
        self._unit = _GIF_UNIT if form == "GIF" else 1
        self._wanted, self._written = 0.0, 0

    def time_of(self, frame: Image.Image) -> float:
        """Return how many milliseconds the next frame stays; 0 where nobody says."""
        wanted = max(float(frame.info.get("duration") or 0), 0)
        if self._form == "PNG":
            return wanted
        wanted = min(wanted, _LONGEST[self._form])
        self._wanted += wanted
        end = round(self._wanted / self._unit) * self._unit
        known, self._written = end - self._written, end
        return self._unit if wanted and not known else known


class _Sequence(Image.Image):
    """Frames in the way that Pillow's writers ask for them: each is made when it is sought, and the last one kept.

    The times of the frames so far are in `times`, which the writers look into behind each frame.
    """

    def __init__(self, frames: Iterator[tuple[Image.Image, float]], count: int) -> None:
        super().__init__()
        self.n_frames, self.is_animated = count, True
        self.times: list[float] = []
        self._frames = frames
        self._next()

    def tell(self) -> int:
        """Return the number of the frame that is here."""
        return len(self.times) - 1

    def seek(self, frame: int) -> None:
        """Go to the next frame; the writers go back to the first one at the end, which it does not matter to."""
        if frame >= self.n_frames:
            raise EOFError
        while frame > self.tell():
            self._next()

    def _next(self) -> None:
        frame, time = next(self._frames)
        self.im, self._mode, self._size = frame.im, frame.mode, frame.size
        self.times.append(time)


def write_moving(frames: Iterator[Image.Image], count: int, form: str, plays: int, settings: dict[str, Any]) -> bytes:
    """Return `count` frames as a file of a format that moves, with `settings` for Pillow's writer.

    Each is made when its turn has come, and is gone when the next one is written.
    Raises `CannotEncode` when they are pages of several sizes, and what Pillow's writer raises.
    """
    timed = _timed(frames, form)
    if form == "PNG":
        return write_apng(timed, count, plays, settings)
    if form == "GIF":
        return write_gif(timed, plays, settings.get("comment", b""))
    sequence = _Sequence(timed, count)
    settings = {**settings, "save_all": True, "duration": sequence.times}
    if form == "WebP":
        kmin, kmax = _WEBP_KEY_FRAMES
        settings |= {"loop": min(plays, _MOST_PLAYS), "kmin": kmin, "kmax": kmax}
    buffer = BytesIO()
    sequence.save(buffer, form.upper(), **settings)
    return with_plays(buffer.getvalue(), plays) if form == "AVIF" else buffer.getvalue()


def _timed(frames: Iterator[Image.Image], form: str) -> Iterator[tuple[Image.Image, float]]:
    """Yield frames, all of one size, without what Pillow would write of them, and their times."""
    clock, size = Clock(form), None
    for frame in frames:
        time = clock.time_of(frame)
        frame.info = {}
        if size not in {None, frame.size}:
            raise CannotEncode(f"The pages have different sizes, which {form} cannot hold; TIFF and JPEG can.")
        size = frame.size
        yield frame, time


def alike(frames: list[Image.Image]) -> list[Image.Image]:
    """Return frames in one mode: that of all of them, or one that holds all."""
    modes = {frame.mode for frame in frames}
    if len(modes) == 1:
        return frames
    mode = "RGBA" if modes & {"LA", "RGBA"} else "RGB"
    return [frame.convert(mode) for frame in frames]


def frames_in(data: bytes, form: str, count: int) -> int:
    """Return how many frames a file has into which `count` were written: WebP makes one of those that are the same."""
    return Image.open(BytesIO(data)).n_frames if form == "WebP" and count > 1 else count  # type: ignore[attr-defined]
