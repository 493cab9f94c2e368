"""What a PNG file makes transparent is so in its copy, whatever its depth and kind of colours, still and moving."""

import base64
import struct
import zlib
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from countermark import engine
from countermark.engine.image_mark import find_image
from PIL import Image

from tests.engine.animations import SIZE, seen
from tests.engine.carriers import chunk
from tests.engine.tiffs import by_vips

PLAIN = engine.load_options({"tasks": []})

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
BANDS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
KINDS = [
    *product([GREY], [1, 2, 4, 8, 16]),
    *product([RGB], [8, 16]),
    *product([PALETTE], [1, 2, 4, 8]),
    *product([GREY_ALPHA, RGB_ALPHA], [8, 16]),
]


def samples(kind: int, bits: int, seed: int) -> np.ndarray:
    """Samples of few values, of which each comes often, and others that differ from them in the last bit."""
    dice = np.random.default_rng(seed)
    few = dice.integers(0, 2**bits, (5, BANDS[kind]))
    few = np.concatenate([few, few ^ 1])
    return few[dice.integers(0, len(few), (SIZE[1], SIZE[0]))]


def packed(pixels: np.ndarray, bits: int) -> bytes:
    """Rows as a PNG file has them."""
    rows = pixels.reshape(len(pixels), -1)
    every = (rows[..., None] >> np.arange(bits)[::-1]) & 1
    data = np.packbits(every.reshape(len(rows), -1).astype(np.uint8), axis=1)
    return zlib.compress(np.insert(data, 0, 0, axis=1).tobytes())


def shown(pixels: np.ndarray, kind: int, bits: int, colors: np.ndarray, told: tuple[int, ...]) -> np.ndarray:
    """Red, green, blue and alpha by the words of the specification, from 0 to 1."""
    if kind == PALETTE:
        alpha = np.ones(len(colors))
        alpha[: len(told)] = np.array(told) / 255
        return np.dstack([colors[pixels[..., 0]] / 255, alpha[pixels[..., 0]]])
    exact = pixels / (2**bits - 1)
    clear = (pixels == np.array(told)).all(axis=2) if told else np.zeros(pixels.shape[:2], dtype=bool)
    alpha = exact[..., -1] if kind in {GREY_ALPHA, RGB_ALPHA} else np.where(clear, 0, 1)
    lights = exact[..., :3] if kind in {RGB, RGB_ALPHA} else np.repeat(exact[..., :1], 3, axis=2)
    return np.dstack([lights, alpha])


def files(kind: int, bits: int, *, moving: bool) -> Iterator[tuple[bytes, list[np.ndarray]]]:
    """Files whose transparent colour is one of theirs, and what each frame of them shows."""
    for seed in range(3):
        frames = [samples(kind, bits, seed), samples(kind, bits, seed + 100)] if moving else [samples(kind, bits, seed)]
        colors = np.random.default_rng(seed).integers(0, 256, (2**bits, 3))
        told: tuple[int, ...] = ()
        before = b""
        if kind == PALETTE:
            told = tuple(np.random.default_rng(seed).integers(0, 256, 2 ** (bits - 1)).tolist())
            before = chunk(b"PLTE", colors.astype(np.uint8).tobytes()) + chunk(b"tRNS", bytes(told))
        elif kind in {GREY, RGB}:
            told = tuple(frames[-1][3, 7].tolist())
            before = chunk(b"tRNS", struct.pack(f">{len(told)}H", *told))
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *SIZE, bits, kind, 0, 0, 0)) + before
        data += chunk(b"acTL", struct.pack(">II", len(frames), 0)) if moving else b""
        number = 0
        for frame in frames:
            if moving:
                data += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *SIZE, 0, 0, 1, 10, 0, 0))
            again = struct.pack(">I", number + 1) if number else b""
            data += chunk(b"fdAT" if number else b"IDAT", again + packed(frame, bits))
            number += 2 if number else 1
        yield data + chunk(b"IEND", b""), [shown(each, kind, bits, colors, told) for each in frames]


def off(one: np.ndarray, other: np.ndarray) -> float:
    """By how much pictures differ, where colours count as much as they are opaque."""
    return float(np.abs(one[..., :3] * one[..., 3:] - other[..., :3] * other[..., 3:]).max()) + float(
        np.abs(one[..., 3] - other[..., 3]).max()
    )


def whole(pixels: np.ndarray) -> np.ndarray:
    """Pixels of any kind as red, green, blue and alpha from 0 to 1."""
    exact = pixels / np.iinfo(pixels.dtype).max
    alpha = exact[..., -1] if pixels.shape[2] in {2, 4} else np.ones(pixels.shape[:2])
    lights = exact[..., :3] if pixels.shape[2] > 2 else np.repeat(exact[..., :1], 3, axis=2)
    return np.dstack([lights, alpha])


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_a_still_picture_shows_what_its_file_says(kind, bits):
    for source, (expected,) in files(kind, bits, moving=False):
        after = by_vips(engine.process(source, PLAIN).data)
        assert after.dtype == (np.uint16 if bits == 16 else np.uint8)
        assert off(whole(after), expected) < 0.001


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_an_animation_shows_what_its_file_says(kind, bits):
    for source, expected in files(kind, bits, moving=True):
        frames = seen(engine.process(source, PLAIN).data).frames
        assert len(frames) == len(expected)
        for after, exact in zip(frames, expected, strict=True):
            multiplied = np.dstack([exact[..., :3] * exact[..., 3:], exact[..., 3:]])
            assert np.abs(after / 255 - multiplied).max() < 0.003


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_an_image_that_is_a_mark_shows_what_its_file_says(kind, bits):
    for source, (expected,) in files(kind, bits, moving=False):
        mark = find_image("data:image/png;base64," + base64.b64encode(source).decode())
        box = Image.fromarray((expected[..., 3] * 255).round().astype(np.uint8)).getbbox()
        if box is not None:
            left, top, right, bottom = box
            assert off(whole(np.asarray(mark.open())), expected[top:bottom, left:right]) < 0.005
