"""Photographs to measure with: the project's own, enlarged to a size, with grain as a sensor gives it."""

import io
import itertools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

SOURCES = sorted((Path(__file__).parents[1] / "tests" / "photographs").glob("*.jpg"))
GRAIN = 4.0
"""Standard deviation of the grain, of 255."""
SIZES = {"12 MP": (4000, 3000), "2 MP": (1632, 1224)}


def photographs(size: tuple[int, int], count: int) -> list[bytes]:
    """As many different JPEG files of a size: quality 92, 4:2:0; the same ones every time."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(_photograph, itertools.repeat(size), range(count)))


def _photograph(size: tuple[int, int], number: int) -> bytes:
    with Image.open(SOURCES[number % len(SOURCES)]) as source:
        turned = source.rotate(7 * (number // len(SOURCES)), Image.Resampling.BICUBIC).convert("RGB")
    pixels = np.asarray(turned.resize(size, Image.Resampling.BICUBIC), np.float32)
    grain = np.random.default_rng(number).normal(0, GRAIN, (*pixels.shape[:2], 1)).astype(np.float32)
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=92, subsampling="4:2:0")
    return out.getvalue()
