"""Counting what the headers of a file say."""

from dataclasses import dataclass

from ..errors import DamagedImage

#: More chunks, segments, boxes or directories than the largest real pictures have; one step takes a microsecond or two.
_MOST_PARTS = 100_000


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a file says of its pictures."""

    pixels: int  # of all that is decoded, one after the other
    largest: int  # pixels of the largest picture in it, shown or not
    frames: int
    decoding: float = 0  # bytes of a pixel for a JPEG file's coefficients, where all are held while it is decoded
    marking: float = 0  # the same while they are marked


class Tally:
    """The pictures and parts of a file, as they are found."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.decoding = self.marking = 0.0
        self._pixels = self._largest = self._frames = self._parts = 0
        self._screen = (0, 0)

    def screen(self, width: int, height: int) -> None:
        """Note a size that every frame takes, however small its own picture; the largest one counts."""
        self._screen = max(self._screen[0], width), max(self._screen[1], height)

    def frame(self, width: int, height: int, times: int = 1) -> None:
        """Note a picture, or several of the same size, that are decoded."""
        self._frames += times
        self.picture(width, height)
        self._pixels += width * height * times

    def picture(self, width: int, height: int) -> None:
        """Note a picture that is decoded as a part of another one, or not at all."""
        self._largest = max(self._largest, width * height)

    def part(self, count: int = 1, most: int = _MOST_PARTS) -> None:
        """Note parts of the file; raise `DamagedImage` when these are too many."""
        self._parts += count
        if self._parts > most:
            raise DamagedImage("The image is made of more parts than any real one, and is not read.")

    def claims(self) -> Claims:
        """Return what was found."""
        screen = self._screen[0] * self._screen[1]
        frames = max(self._frames, 1)
        return Claims(
            pixels=max(self._pixels, screen * frames),
            largest=max(self._largest, screen),
            frames=frames,
            decoding=self.decoding,
            marking=self.marking,
        )
