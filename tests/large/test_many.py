"""A job of ten thousand images takes hardly more memory than one of a thousand."""

import io
import time
import zipfile

from PIL import Image

from tests.client import Caller, caller_of
from tests.large.conftest import Tell
from tests.large.memory import grown, peaks
from tests.platform_driver import temporary_platform

FEW, MANY = 1000, 10_000
SECONDS = 3000
MIB_MORE = 48
"""Of a function: a row of five kilobytes for each image."""
FUNCTIONS = ("upload", "watermark", "archive", "status", "expire", "reconcile")


def test_memory_does_not_grow_with_the_number_of_images(tell: Tell) -> None:
    with temporary_platform() as platform, caller_of(platform) as caller:
        play(caller, FEW)
        before, started = peaks(platform, *FUNCTIONS), time.monotonic()
        play(caller, MANY)
        more = grown(platform, before)
        tell("seconds", round(time.monotonic() - started))
        tell("MiB by which memory grew", more)
        assert max(more.values()) < MIB_MORE


def play(caller: Caller, count: int) -> None:
    """A job from its upload, as one ZIP, until it is deleted."""
    answer = caller.http.post("/function/upload", files={"files": ("all.zip", packed(count))}, timeout=SECONDS)
    job = answer.json()["job"]
    ended = caller.wait(job, SECONDS)
    assert (ended["done"], ended["failed"]) == (count, 0)
    answer = caller.http.get(ended["archive"]["url"], follow_redirects=True, timeout=300)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert len(archive.namelist()) == count + 1
    caller.delete(job)


def packed(count: int) -> bytes:
    """A ZIP of as many small pictures."""
    picture, packed = io.BytesIO(), io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(picture, "JPEG")
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:05}.jpg", picture.getvalue())
    return packed.getvalue()
