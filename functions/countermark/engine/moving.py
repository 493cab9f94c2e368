"""What moves: how long each frame stays, and how often they are all played, in the way of every format."""

import struct
from collections.abc import Iterator
from io import BytesIO
from itertools import accumulate
from typing import Any

from PIL import Image

from .animation import Animation
from .apng import read_apng, write_apng
from .avif import plays_of_avif, with_plays
from .errors import CannotEncode
from .gif import read_gif, write_gif
from .metadata.structure import Block

FOR_EVER = 0
_MOST_PLAYS = 65_535
# Whole pictures of a WebP animation are so many frames apart, at least and at most. With the usual 3 and 5 many a frame
# is encoded twice: 1.2 to 1.8 times the time and, where only a part moves, 1.6 times the bytes.
_WEBP_KEY_FRAMES = (29, 60)
#: The longest time of a frame, in milliseconds.
_LONGEST = {"GIF": 655_350, "WebP": 2**24 - 1, "AVIF": 2**31 - 1}
_HEAD = 8  # bytes of a TIFF file's head
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
    """Decode `count` frames, or pages, one after the other."""
    for number in range(count):
        if number:
            image.seek(number)
        image.load()
        yield image


def durations(frames: list[Image.Image], form: str) -> list[float]:
    """Return how many milliseconds each frame stays, in the units of a format; 0 where nobody says.

    What the units cannot say is made up for by the next frames, so that all together they take as long as before.
    """
    wanted = [max(float(frame.info.get("duration") or 0), 0) for frame in frames]
    if form == "PNG":
        return wanted
    unit = _GIF_UNIT if form == "GIF" else 1
    wanted = [min(each, _LONGEST[form]) for each in wanted]
    ends = [round(end / unit) * unit for end in accumulate(wanted)]
    units = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    return [unit if each and not known else known for each, known in zip(wanted, units, strict=True)]


def write_moving(frames: list[Image.Image], form: str, plays: int, settings: dict[str, Any]) -> bytes:
    """Return frames as a file of a format that can hold several, with `settings` for Pillow's writer.

    Raises `CannotEncode` when they are pages of several sizes, and what Pillow's writer raises.
    """
    if form != "TIFF" and len({frame.size for frame in frames}) > 1:
        raise CannotEncode(f"The pages have different sizes, which {form} cannot hold; TIFF and JPEG can be written.")
    times = durations(frames, form) if form != "TIFF" else []
    frames = _alike(frames) if form != "TIFF" else frames
    for frame in frames:
        frame.info = {}  # else Pillow writes what we mean to drop
    if form == "PNG":
        return write_apng(frames, times, plays, settings)
    if form == "GIF":
        return write_gif(frames, times, plays, settings.get("comment", b""))
    settings = {**settings, "save_all": True, "append_images": frames[1:]}
    if form == "WebP":
        kmin, kmax = _WEBP_KEY_FRAMES
        settings |= {"duration": times, "loop": min(plays, _MOST_PLAYS), "kmin": kmin, "kmax": kmax}
    elif form == "AVIF":
        settings |= {"duration": times}
    buffer = BytesIO()
    frames[0].save(buffer, form.upper(), **settings)
    data = buffer.getvalue()
    return with_plays(data, plays) if form == "AVIF" else _without_heads(data) if form == "TIFF" else data


def frames_in(data: bytes, form: str, count: int) -> int:
    """Return how many frames a file has into which `count` were written: WebP makes one of those that are the same."""
    return Image.open(BytesIO(data)).n_frames if form == "WebP" and count > 1 else count  # type: ignore[attr-defined]


def _without_heads(data: bytes) -> bytes:
    """Return a TIFF file without the heads of its further pages, which Pillow writes like files of their own.

    Nobody reads them in their place, but they look like pictures within the picture.
    """
    block, pages = Block(data), set()
    page = block.first
    while page and page not in pages:
        pages.add(page)
        page = block.behind(page)
    changed = bytearray(data)
    at = data.find(data[:4], _HEAD)
    while 0 <= at <= len(data) - _HEAD:
        if at + struct.unpack_from(block.order + "I", data, at + 4)[0] in pages:
            changed[at : at + _HEAD] = bytes(_HEAD)
        at = data.find(data[:4], at + 1)
    return bytes(changed)


def _alike(frames: list[Image.Image]) -> list[Image.Image]:
    """Return frames in one mode: that of all of them, or one that holds all."""
    modes = {frame.mode for frame in frames}
    if len(modes) == 1:
        return frames
    mode = "RGBA" if modes & {"LA", "RGBA"} else "RGB"
    return [frame.convert(mode) for frame in frames]
