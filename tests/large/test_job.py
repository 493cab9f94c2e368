"""A job over 4 GiB: its ZIP can be read, whole and in parts, and no function's memory grows with it.

`make test-large`, not part of `make test`: minutes, and 20 GB of disk below the folder for temporary files.
"""

import io
import json
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.client import Caller, caller_of
from tests.large.conftest import Tell
from tests.large.memory import MIB, grown, peaks
from tests.platform_driver import Platform, temporary_folder, temporary_platform
from tests.system.objects import Objects

GIB = 1024**3
BORDER = 4 * GIB
"""From here on a position does not fit into 32 bits."""
FREE_BYTES = 20 * 10**9
"""The originals, the results, the ZIP, and the copy of it that is read here."""
SIDE = 4900
DISTINCT = 3
"""Photographs; they are sent under many names."""
SECONDS = 3000
PARTS = 6
"""Parts of 8 MiB that a stream may hold at a time, with what the libraries copy."""
NUMBERS_A_NAME = 2
FUNCTIONS = ("upload", "archive")
CHECKERS = (["unzip", "-tqq"], ["7z", "t", "-bso0"])


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder with room for all of it."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < FREE_BYTES:
        pytest.fail(f"{tempfile.gettempdir()} has {free // 10**9} GB free, and a job over 4 GiB needs 20 GB.")
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def platform(place: Path) -> Iterator[Platform]:  # noqa: ARG001 -- the room is there
    """A platform that nobody else uses; a busy machine may need longer for one such image."""
    with temporary_platform(MAX_SECONDS="110") as running:
        yield running


@pytest.fixture(scope="module")
def caller(platform: Platform) -> Iterator[Caller]:
    """Somebody who uses it."""
    with caller_of(platform) as caller:
        yield caller


@pytest.fixture(scope="module")
def photographs() -> list[bytes]:
    """Noise, which no codec makes smaller."""
    return [noise(seed) for seed in range(DISTINCT)]


@pytest.fixture(scope="module")
def job(caller: Caller, platform: Platform, photographs: list[bytes]) -> dict[str, Any]:
    """The large job when it has ended, with what it took."""
    count = BORDER // min(map(len, photographs)) + 2
    files = [(name(number), photographs[number % DISTINCT]) for number in range(count)]
    warm = caller.upload([("warm.jpg", photographs[0])])
    caller.wait(warm)
    caller.delete(warm)
    before, started = peaks(platform, *FUNCTIONS), time.monotonic()
    order = caller.order(files)
    for upload, (_, data) in zip(order["uploads"], files, strict=True):
        assert caller.put(upload, data) == 200
    sent = time.monotonic()
    document = caller.wait(order["job"], SECONDS)
    times = {"sent": round(sent - started, 1), "ready": round(time.monotonic() - started, 1)}
    return document | {"times": times, "grown": grown(platform, before)}


@pytest.fixture(scope="module")
def packed(job: dict[str, Any], caller: Caller, place: Path) -> Path:
    """The ZIP, downloaded."""
    path = place / "job.zip"
    with (
        path.open("wb") as file,
        caller.http.stream("GET", job["archive"]["url"], follow_redirects=True, timeout=300) as answer,
    ):
        assert answer.status_code == 200
        for chunk in answer.iter_bytes(MIB):
            file.write(chunk)
    return path


def noise(seed: int) -> bytes:
    """A photograph of almost 100 MB."""
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=100, subsampling=0)
    return out.getvalue()


def name(number: int) -> str:
    """Every second name differs from the one before it in case only."""
    text = f"Photograph {number // NUMBERS_A_NAME}.jpg"
    return text if number % NUMBERS_A_NAME else text.upper()


def test_every_image_of_it_is_marked_and_no_memory_grows_with_it(job: dict[str, Any], tell: Tell) -> None:
    tell("images, bytes of the ZIP", (job["done"], job["archive"]["bytes"]))
    tell("seconds until all was sent, until the ZIP was ready", job["times"])
    tell("MiB by which memory grew", job["grown"])
    assert (job["state"], job["failed"]) == ("ready", 0)
    assert job["archive"]["bytes"] > BORDER
    assert max(job["grown"].values()) < PARTS * 8


def test_its_zip_is_read_by_whatever_reads_zips(
    job: dict[str, Any], packed: Path, photographs: list[bytes], tell: Tell
) -> None:
    assert packed.stat().st_size == job["archive"]["bytes"]
    with zipfile.ZipFile(packed) as archive:
        infos = archive.infolist()
        assert infos[-2].header_offset > BORDER - 100 * MIB
        assert max(info.header_offset for info in infos) > BORDER
        assert archive.testzip() is None
        report = json.loads(archive.read("report.json"))
        sizes = {result["name"]: result["bytes"] for image in job["images"] if (result := image["result"])}
        assert {info.filename: info.file_size for info in infos if info.filename != "report.json"} == sizes
        assert report["done"] == job["total"]
        with Image.open(io.BytesIO(archive.read(infos[-2]))) as last:
            assert (last.format, last.size) == ("JPEG", (SIDE, SIDE))
            assert last.tobytes() != Image.open(io.BytesIO(photographs[(job["total"] - 1) % DISTINCT])).tobytes()
    for command in CHECKERS:
        found = shutil.which(command[0])
        tell(command[0], "reads it" if found else "is not here")
        if found:
            subprocess.run([*command, str(packed)], check=True, timeout=600)


def test_names_that_differ_in_case_only_are_files_of_their_own_on_every_system(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
    assert len({each.casefold() for each in names}) == len(names)
    assert {"PHOTOGRAPH 0.JPG", "Photograph 0 (2).jpg"} <= set(names)


def test_a_part_over_the_border_is_downloaded_as_it_is(job: dict[str, Any], caller: Caller, packed: Path) -> None:
    link = caller.http.get(job["archive"]["url"]).headers["Location"]
    assert link.startswith(caller.url)
    size = packed.stat().st_size
    for first, last in ((BORDER - 10, BORDER + 9), (BORDER - MIB, BORDER + MIB), (BORDER, BORDER), (0, 3)):
        assert_part(link, packed, f"bytes={first}-{last}", (first, last))
    assert_part(link, packed, f"bytes={size - 1000}-", (size - 1000, size - 1))
    assert_part(link, packed, "bytes=-22", (size - 22, size - 1))
    assert httpx.get(link, headers={"Range": f"bytes={size}-"}).status_code == 416


def assert_part(link: str, packed: Path, asked: str, part: tuple[int, int]) -> None:
    """These bytes come, and are told to be those; both positions are inclusive."""
    answer = httpx.get(link, headers={"Range": asked}, timeout=60)
    assert answer.status_code == 206, answer.text
    assert answer.headers["Content-Range"] == f"bytes {part[0]}-{part[1]}/{packed.stat().st_size}"
    with packed.open("rb") as file:
        file.seek(part[0])
        assert answer.content == file.read(part[1] - part[0] + 1)


def test_a_gigabyte_is_posted_with_the_memory_of_few_parts(
    caller: Caller, platform: Platform, photographs: list[bytes], tell: Tell
) -> None:
    count = GIB // len(photographs[0]) + 1
    before = peaks(platform, *FUNCTIONS)
    posted = caller.upload([(f"{number}.jpg", photographs[number % DISTINCT]) for number in range(count)])
    ended = caller.wait(posted, SECONDS)
    assert ended["done"] == count
    tell("MiB by which memory grew with a posted gigabyte", more := grown(platform, before))
    assert max(more.values()) < PARTS * 8
    caller.delete(posted)


def test_nothing_of_it_is_left_when_it_is_deleted(
    job: dict[str, Any], caller: Caller, platform: Platform, tell: Tell
) -> None:
    started = time.monotonic()
    caller.delete(job["job"])
    tell("seconds to delete it", round(time.monotonic() - started, 2))
    objects = Objects(platform.store_url, platform.secret("s3-access-key"), platform.secret("s3-secret-key"))
    assert objects.of("/1") == []
