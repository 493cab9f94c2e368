"""Animations built by hand, of every kind of frame, and what other readers than the engine's see in them."""

import random
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pyvips
from PIL import Image

from tests.engine.carriers import chunk, chunks

SIZE = (48, 32)
COLOURS = [(250, 30, 20), (20, 200, 60), (30, 60, 240), (240, 230, 40), (20, 20, 20), (250, 250, 250)]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A frame as it is stored: a place, what becomes of it, and how it is drawn."""

    image: Image.Image  # RGBA, of a few colours, each pixel opaque or clear but where `soft`
    corner: tuple[int, int]
    disposal: int  # 0 it stays, 1 it is cleared, 2 what was there before comes back
    over: bool
    duration: int  # milliseconds, whole hundredths of a second


def parts(seed: int, *, soft: bool = False, clear: bool = True) -> list[Part]:
    """Frames of all sizes and kinds. With `soft` some colours are half transparent, without `clear` none is clear."""
    dice = random.Random(seed)
    found = []
    for number in range(dice.randint(2, 6)):
        left, top = (0, 0) if number == 0 else (dice.randrange(0, SIZE[0] - 8, 2), dice.randrange(0, SIZE[1] - 8, 2))
        most = (SIZE[0] - left, SIZE[1] - top)
        size = SIZE if number == 0 and dice.random() < 0.7 else (dice.randint(2, most[0]), dice.randint(2, most[1]))
        image = Image.new("RGBA", size, (*dice.choice(COLOURS), 255))
        for _ in range(4):
            alpha = dice.choice([255, 0 if clear else 255, 128 if soft else 255])
            corner = (dice.randrange(size[0]), dice.randrange(size[1]))
            image.paste((*dice.choice(COLOURS), alpha), (*corner, size[0], dice.randint(corner[1] + 1, size[1])))
        found.append(
            Part(
                image=image,
                corner=(left, top),
                disposal=dice.randrange(3),
                over=dice.random() < 0.5,
                duration=10 * dice.choice([0, 1, 4, 7, 25, 100]),
            )
        )
    return found


def composed(stored: list[Part]) -> list[np.ndarray]:
    """What a viewer shows, by the rules that all formats share, as colours times alpha and alpha."""
    canvas = np.zeros((SIZE[1], SIZE[0], 4))
    shown = []
    for number, part in enumerate(stored):
        left, top = part.corner
        place = np.s_[top : top + part.image.height, left : left + part.image.width]
        before = canvas[place].copy()
        new = premultiplied(np.asarray(part.image))
        canvas[place] = new + (canvas[place] * (1 - new[..., 3:] / 255) if part.over else 0)
        shown.append(canvas.copy())
        if part.disposal == 1 or (part.disposal == 2 and number == 0):
            canvas[place] = 0
        elif part.disposal == 2:
            canvas[place] = before
    return shown


def premultiplied(pixels: np.ndarray) -> np.ndarray:
    wide = pixels.astype(float)
    wide[..., :3] *= wide[..., 3:] / 255
    return wide


# Files ------------------------------------------------------------------------------------------------------------


def gif(stored: list[Part], plays: int, *, controls: bool = True) -> bytes:
    """A GIF file: each frame has colours of its own, those of 16 pixels a side and more are interlaced.

    Without `controls` no frame says how long it stays and what becomes of it.
    """
    out = bytearray(b"GIF89a" + struct.pack("<HHBBB", *SIZE, 0x80, 0, 0) + bytes(6))
    if plays != 1:
        out += b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", max(plays - 1, 0)) + b"\0"
    for part in stored:
        clear = (0, 0, 0)
        flat = Image.new("RGB", part.image.size, clear)
        flat.paste(part.image, mask=part.image.getchannel("A").point(lambda alpha: 255 * (alpha > 127)))
        flat = flat.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
        buffer = BytesIO()
        flat.save(buffer, "GIF", optimize=False, interlace=min(flat.size) >= 16)
        data = buffer.getvalue()
        colours = data[13 : 13 + (3 << (data[10] & 7) + 1)]
        at = 13 + len(colours)
        while data[at] == 0x21:
            at += 2
            while data[at]:
                at += data[at] + 1
            at += 1
        entries = [tuple(colours[each : each + 3]) for each in range(0, len(colours), 3)]
        hole = entries.index(clear) if clear in entries[: len(flat.getcolors())] else None
        if controls:
            disposal = (1, 2, 3)[part.disposal]
            out += b"!\xf9\x04" + struct.pack(
                "<BHBB", disposal << 2 | (hole is not None), part.duration // 10, hole or 0, 0
            )
        flags = data[at + 9] & 0x40 | 0x80 | data[10] & 7
        out += b"," + struct.pack("<HHHHB", *part.corner, *flat.size, flags) + colours + data[at + 10 : -1]
    return bytes(out + b";")


def apng(
    stored: list[Part],
    plays: int,
    *,
    default: Image.Image | None = None,
    mode: str = "RGBA",
    unit: int = 1000,
    size: tuple[int, int] = SIZE,
) -> bytes:
    """An animated PNG file. `unit` is how many of the times of frames are a second.

    `default` is a picture for viewers that show no animation, and no frame.
    """

    def packed(image: Image.Image) -> bytes:
        rows = np.asarray(image.convert(mode)).reshape(image.height, -1)
        return zlib.compress(np.insert(rows, 0, 0, axis=1).tobytes())

    kind = {"RGBA": 6, "RGB": 2, "L": 0}[mode]
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, kind, 0, 0, 0))
    out += chunk(b"acTL", struct.pack(">II", len(stored), plays))
    if default is not None:
        out += chunk(b"IDAT", packed(default))
    number = 0
    for at, part in enumerate(stored):
        control = struct.pack(
            ">IIIIIHHBB", number, *part.image.size, *part.corner, part.duration, unit, part.disposal, part.over
        )
        out += chunk(b"fcTL", control)
        number += 1
        if at == 0 and default is None:
            out += chunk(b"IDAT", packed(part.image))
        else:
            out += chunk(b"fdAT", struct.pack(">I", number) + packed(part.image))
            number += 1
    return out + chunk(b"IEND", b"")


def webp(stored: list[Part], plays: int, background: bytes = bytes(4)) -> bytes:
    """An animated WebP file without loss."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    def three(number: int) -> bytes:
        return number.to_bytes(3, "little")

    body = chunk(b"VP8X", b"\x12\0\0\0" + three(SIZE[0] - 1) + three(SIZE[1] - 1))
    body += chunk(b"ANIM", background + struct.pack("<H", plays))
    for part in stored:
        buffer = BytesIO()
        part.image.save(buffer, "WebP", lossless=True, exact=True)
        data = buffer.getvalue()
        head = three(part.corner[0] // 2) + three(part.corner[1] // 2)
        head += three(part.image.width - 1) + three(part.image.height - 1) + three(part.duration)
        flags = (part.disposal == 1) | (not part.over) << 1
        body += chunk(b"ANMF", head + bytes([flags]) + data[data.index(b"VP8L") :])
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


# Readers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Film:
    """An animation as another reader sees it."""

    frames: list[np.ndarray]  # colours times alpha and alpha
    durations: list[float]
    plays: int  # 0 is for ever


def seen(data: bytes) -> Film:
    """Read a GIF or WebP file by libvips, a PNG file by its specification."""
    return _seen_in_png(data) if data.startswith(b"\x89PNG") else _seen_by_vips(data)


def _seen_by_vips(data: bytes) -> Film:
    image = pyvips.Image.new_from_buffer(data, "", n=-1)
    fields = image.get_fields()
    height = image.get("page-height") if "page-height" in fields else image.height
    image = image.colourspace("srgb")
    image = image if image.hasalpha() else image.bandjoin(255)
    pixels = premultiplied(image.numpy())
    frames = [pixels[top : top + height] for top in range(0, len(pixels), height)]
    durations = [float(each) for each in image.get("delay")] if "delay" in fields else [0.0] * len(frames)
    return Film(frames=frames, durations=durations, plays=_plays(data))


def _plays(data: bytes) -> int:
    if data[:3] == b"GIF":
        at = data.find(b"NETSCAPE2.0")
        again = struct.unpack_from("<H", data, at + 13)[0] if at >= 0 else None
        return 1 if again is None else again and again + 1
    at = data.find(b"ANIM")
    return struct.unpack_from("<H", data, at + 12)[0] if at >= 0 else 1


def _seen_in_png(data: bytes) -> Film:
    """Put together what the chunks say; only single pictures are decoded, by libvips."""
    every = list(chunks(data))
    header = every[0][1]
    count, plays = struct.unpack(">II", dict(every)[b"acTL"])
    stored, controls, numbers = [], [], []
    for kind, content in every:
        if kind == b"fcTL":
            controls.append(struct.unpack(">IIIIIHHBB", content))
            numbers.append(controls[-1][0])
            stored.append(b"")
        elif kind == b"IDAT" and stored:
            stored[-1] += content
        elif kind == b"fdAT":
            numbers.append(struct.unpack_from(">I", content)[0])
            stored[-1] += content[4:]
    assert numbers == list(range(len(numbers)))
    assert count == len(stored)
    found = []
    for control, packed in zip(controls, stored, strict=True):
        _, width, height, left, top, delay, unit, disposal, blend = control
        pieces = [(b"IHDR", struct.pack(">II", width, height) + header[8:]), (b"IDAT", packed), (b"IEND", b"")]
        file = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in pieces)
        image = pyvips.Image.new_from_buffer(file, "").colourspace("srgb")
        image = image if image.hasalpha() else image.bandjoin(255)
        part = Part(
            image=Image.fromarray(image.numpy()), corner=(left, top), disposal=disposal, over=blend == 1, duration=0
        )
        found.append((part, 1000 * delay / (unit or 100)))
    return Film(frames=composed([part for part, _ in found]), durations=[time for _, time in found], plays=plays)


def timeline(frames: list[np.ndarray], durations: list[float]) -> list[tuple[np.ndarray, float]]:
    """What is shown and how long: frames that are the same and follow each other are one."""
    told: list[tuple[np.ndarray, float]] = []
    for frame, time in zip(frames, durations, strict=True):
        if told and np.abs(told[-1][0] - frame).max() < 1:
            told[-1] = (frame, told[-1][1] + time)
        else:
            told.append((frame, time))
    return told
