"""Animated PNG files, read and written frame by frame as their specification says.

Pillow mixes transparent colours wrongly where one frame lies over another, clears to black where there is no alpha
channel, and counts a default image that is no frame.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from io import BytesIO
from typing import Any

from PIL import Image, ImageChops

from .animation import CLEARED, PREVIOUS, STAYS, Animation, Frame, needs_alpha
from .chunks import CHECKED, SIGNATURE, chunk, chunks
from .errors import DamagedImage, TruncatedImage
from .png import write_png
from .samples import decoded

_CONTROL = ">IIIIIHHBB"  # number, width, height, left, top, delay (two parts), disposal, blend
_OVER = 1
_HEADER = 13  # bytes
_ALPHA = 4  # a bit of the kind of colour
_LONGEST = 65_535  # of both parts of a delay
_MOST = 2**31 - 1


def read_apng(source: bytes) -> Animation | None:
    """Return the animation in a PNG file; None when there is none and the file is a still picture.

    A default image that is no frame of the animation is not part of it.
    """
    if b"acTL" not in source:
        return None
    found = _Found()
    for kind, begins, end in chunks(source):
        if kind == b"IDAT" and not found.count:
            return None  # an animation is announced before the picture, or there is none
        if found.ended or end + CHECKED > len(source):
            break
        found.add(kind, source[begins:end])
    if not found.count or not found.frames or len(found.header) != _HEADER:
        return None
    if not found.ended or len(found.frames) < found.count:
        raise TruncatedImage
    size, frames = _numbers(found.header), [each.frame(found) for each in found.frames[: found.count]]
    return Animation(
        size=size,
        plays=found.plays,
        clear=bool(found.header[9] & _ALPHA) or b"tRNS" in dict(found.palette) or needs_alpha(frames, size),
        frames=frames,
    )


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """A frame as it stands in a file."""

    control: tuple[int, ...]
    data: list[bytes] = field(default_factory=list)  # compressed pixels

    def frame(self, found: "_Found") -> Frame:
        """Return what this is; raise `DamagedImage` when it is not within the picture."""
        _, width, height, left, top, delay, parts, disposal, blend = self.control
        picture = _numbers(found.header)
        if not self.data or not width or not height or left + width > picture[0] or top + height > picture[1]:
            raise DamagedImage("A frame of the PNG animation is empty or lies outside the picture.")
        return Frame(
            size=(width, height),
            corner=(left, top),
            duration=1000 * delay / (parts or 100),
            disposal=disposal if disposal in {CLEARED, PREVIOUS} else STAYS,
            over=blend == _OVER,
            decode=partial(_decode, (width, height), found, self.data),
        )


@dataclass(kw_only=True)
class _Found:
    """What the chunks of a file have said so far."""

    header: bytes = b""
    palette: list[tuple[bytes, bytes]] = field(default_factory=list)
    count: int = 0  # frames that are announced
    plays: int = 0
    frames: list[_Stored] = field(default_factory=list)
    ended: bool = False

    def add(self, kind: bytes, data: bytes) -> None:
        """Read a chunk. The picture belongs to the first frame, or to none when it comes before that."""
        match kind:
            case b"IHDR":
                self.header = data
            case b"PLTE" | b"tRNS":
                self.palette.append((kind, data))
            case b"acTL":
                self.count, self.plays = _numbers(data)
            case b"fcTL":
                self.frames.append(_Stored(control=struct.unpack_from(_CONTROL, data)))
            case b"IDAT" if self.frames:
                self.frames[0].data.append(data)
            case b"fdAT" if self.frames:
                self.frames[-1].data.append(data[4:])
            case b"IEND":
                self.ended = True


def _numbers(data: bytes) -> tuple[int, int]:
    """Return the two numbers with which a chunk begins."""
    first, second = struct.unpack_from(">II", data)
    return first, second


def _decode(size: tuple[int, int], found: "_Found", data: list[bytes]) -> Image.Image:
    """Return the pixels of one frame, from a PNG file of its own."""
    head = struct.pack(">II", *size) + found.header[8:]
    parts = [(b"IHDR", head), *found.palette, *((b"IDAT", each) for each in data), (b"IEND", b"")]
    file = SIGNATURE + b"".join(chunk(*part) for part in parts)
    return decoded(Image.open(BytesIO(file), formats=["PNG"]))


def write_apng(frames: Iterator[tuple[Image.Image, float]], count: int, plays: int, settings: dict[str, Any]) -> bytes:
    """Return `count` frames of one mode and size, each with its duration, as an animated PNG file.

    Each frame holds what differs from the one before it, and takes its place: nothing is disposed of or blended. The
    metadata is that of `settings`.
    """
    before, duration = next(frames)
    first = _contents(write_png(before, settings))
    begin = next(at for at, (kind, _) in enumerate(first) if kind == b"IDAT")
    written = [*first[:begin], (b"acTL", struct.pack(">II", count, min(plays, _MOST)))]
    written += [(b"fcTL", _control(0, before.size, (0, 0), duration)), *first[begin:-1]]
    number = 1
    for frame, duration in frames:
        box = _changed(before, frame)
        before, part = frame, frame.crop(box)
        written.append((b"fcTL", _control(number, part.size, box[:2], duration)))
        number += 1
        for kind, data in _contents(write_png(part, {})):
            if kind == b"IDAT":
                written.append((b"fdAT", struct.pack(">I", number) + data))
                number += 1
    return SIGNATURE + b"".join(chunk(*each) for each in [*written, first[-1]])


def _contents(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the kind and the content of every chunk of a file."""
    return [(kind, data[begins:end]) for kind, begins, end in chunks(data)]


def _control(number: int, size: tuple[int, int], corner: tuple[int, int], duration: float) -> bytes:
    seconds = min(duration / 1000, float(_LONGEST))
    delay = Fraction(seconds).limit_denominator(int(_LONGEST / max(seconds, 1)))
    return struct.pack(_CONTROL, number, *size, *corner, delay.numerator, delay.denominator, 0, 0)


def _changed(before: Image.Image, frame: Image.Image) -> tuple[int, int, int, int]:
    """Return the part of a frame that differs from the one before it, at least a pixel."""
    return ImageChops.difference(before, frame).getbbox(alpha_only=False) or (0, 0, 1, 1)
