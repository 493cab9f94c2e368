"""Animated WebP files hold every frame, whole pictures only now and then."""

import struct
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from PIL import Image, ImageSequence

SIZE = (160, 120)
PLAIN = engine.load_options({"tasks": []})


def moving(photograph, count: int) -> list[Image.Image]:
    """A photograph with a square that moves over it."""
    ground = Image.open(BytesIO(photograph("brushes"))).convert("RGB").resize(SIZE)
    frames = []
    for number in range(count):
        frame = ground.copy()
        frame.paste((250, number, 20), (number, 40, number + 30, 70))
        frames.append(frame)
    return frames


def animation(frames: list[Image.Image], **settings: object) -> bytes:
    buffer = BytesIO()
    frames[0].save(buffer, "WebP", save_all=True, append_images=frames[1:], duration=80, **settings)
    return buffer.getvalue()


def parts(data: bytes) -> Iterator[tuple[int, int]]:
    """The sizes of the frames as they are stored."""
    at = 12
    while at < len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        if kind == b"ANMF":
            width, height = (int.from_bytes(data[at + 8 + start :][:3], "little") + 1 for start in (6, 9))
            yield width, height
        at += 8 + size + size % 2


def test_every_frame_of_a_lossless_animation_keeps_every_pixel(photograph):
    frames = moving(photograph, 8)
    edited = engine.process(animation(frames, lossless=True), PLAIN)
    result = Image.open(BytesIO(edited.data))
    assert (edited.frames, result.n_frames) == (8, 8)
    for before, after in zip(frames, ImageSequence.Iterator(result), strict=True):
        assert (np.asarray(before) == np.asarray(after.convert("RGB"))).all()
        assert after.info["duration"] == 80


@pytest.mark.parametrize("quality", ["keep", "85"])
def test_a_whole_picture_comes_every_sixty_frames_at_most(photograph, quality):
    source = animation(moving(photograph, 100), lossless=True)
    data = engine.process(source, engine.parse_options({"position": "center", "quality": quality})).data
    whole = [number for number, size in enumerate(parts(data)) if size == SIZE]
    assert whole[0] == 0
    assert 2 <= len(whole) <= 3
    assert max(np.diff([*whole, 99])) <= 60
    assert len(data) < 0.7 * len(source)
