"""Memory does not grow with what people send."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.client import Caller

MIB = 1024 * 1024
PARTS = 6
"""Parts of 8 MiB that a stream may hold at a time, with what the libraries copy."""


def peak(platform: Any, name: str) -> int:
    """The most memory that a function's process has had, in bytes, as the kernel keeps it."""
    (pid,) = platform.pids(name)
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def test_an_upload_streams_to_the_store(platform: Any, caller: Caller) -> None:
    caller.wait(caller.upload([("warm.jpg", os.urandom(20 * MIB))]))
    before = peak(platform, "upload")
    ended = caller.wait(caller.upload([("large.jpg", os.urandom(95 * MIB))]))
    assert ended["images"][0]["code"] == "not_an_image"
    assert peak(platform, "upload") - before < PARTS * 8 * MIB


def test_an_archive_streams_from_the_store(platform: Any, caller: Caller) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (2600, 3000, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG", quality=95)
    caller.wait(caller.upload([("warm.jpg", out.getvalue())]))
    before = peak(platform, "archive")
    ended = caller.wait(caller.upload([(f"{number}.jpg", out.getvalue()) for number in range(12)]))
    assert ended["archive"]["bytes"] > 80 * MIB
    assert peak(platform, "archive") - before < PARTS * 8 * MIB


def test_a_file_over_the_limit_fails_alone(caller: Caller) -> None:
    limit = caller.http.get("/function/upload").json()["limits"]["file_bytes"]
    ended = caller.wait(caller.upload([("too large.jpg", bytes(limit + 1)), ("small.jpg", b"no image")]))
    assert [image["code"] for image in ended["images"]] == ["file_too_large", "not_an_image"]
