"""What one upload may have; of a request that has more, nothing is kept."""

import io
import os
import zipfile
from collections.abc import Iterator
from itertools import count

import pytest

from tests.client import Caller, File, caller_of, picture
from tests.platform_driver import Platform, wait_until
from tests.system.objects import Objects
from tests.system.rows import Rows
from tests.system.workshop import FILE_BYTES, FILES, JOB_BYTES, Workshop

addresses = count(1)


@pytest.fixture(scope="module")
def place(workshop: Workshop) -> Platform:
    """Where limits are low."""
    return workshop.platform


@pytest.fixture
def address() -> str:
    """Of an owner who has uploaded nothing else."""
    return f"127.0.6.{next(addresses)}"


@pytest.fixture
def uploader(place: Platform, address: str) -> Iterator[Caller]:
    """That owner."""
    with caller_of(place, address) as caller:
        yield caller


def packed(files: list[File]) -> list[File]:
    """The files as one ZIP, deflated."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return [("all.zip", out.getvalue())]


def of_bytes(total: int) -> list[File]:
    """Files that are small enough each, with so many bytes together."""
    size = FILE_BYTES - 1
    return [(f"{start}.jpg", bytes(min(size, total - start))) for start in range(0, total, size)]


TOO_MUCH = {
    "too many files": ([(f"{number}.jpg", b"x") for number in range(FILES + 1)], "too_many_files"),
    "too many files in a ZIP": (packed([(f"{number}.jpg", b"x") for number in range(FILES + 1)]), "too_many_files"),
    "too many with a ZIP": (
        [("a.jpg", b"x"), *packed([(f"{number}.jpg", b"x") for number in range(FILES)])],
        "too_many_files",
    ),
    "too many bytes": (of_bytes(JOB_BYTES + 1), "too_large"),
    "too many bytes in a small ZIP": (packed(of_bytes(JOB_BYTES + 1)), "too_large"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_request_with_too_much_is_refused_and_nothing_of_it_is_kept(
    uploader: Caller, address: str, objects: Objects, rows: Rows, what: str
) -> None:
    files, code = TOO_MUCH[what]
    answer = uploader.post(files)
    assert (answer.status_code, answer.json()["code"]) == (413, code)
    jobs = rows.ask("SELECT id FROM jobs WHERE owner = :owner", owner=f"address:{address}")
    for (job,) in jobs:
        objects.wait_until_none(job)
        wait_until(lambda job=job: rows.one("SELECT state FROM jobs WHERE id = :id", id=job) == "gone")


def test_just_as_much_as_is_allowed_is_taken(uploader: Caller) -> None:
    for files in ([(f"{number}.jpg", b"x") for number in range(FILES)], of_bytes(JOB_BYTES)):
        for sent in (files, packed(files)):
            job = uploader.upload(sent)
            assert uploader.wait(job)["total"] == len(files)
            uploader.delete(job)


@pytest.mark.parametrize("pack", [list, packed], ids=["alone", "in a ZIP"])
def test_a_file_over_the_limit_fails_alone(uploader: Caller, pack: type) -> None:
    files = [("large.jpg", os.urandom(FILE_BYTES + 1)), ("good.jpg", picture())]
    ended = uploader.wait(uploader.upload(pack(files)))
    assert [image["code"] for image in ended["images"]] == ["file_too_large", None]


def test_a_dropped_file_over_the_limit_fails_alone(uploader: Caller, rows: Rows) -> None:
    uploader.drop("large/large.jpg", os.urandom(FILE_BYTES + 1))
    uploader.drop("large/good.jpg", picture())
    wait_until(lambda: rows.folder_job("large"))
    ended = uploader.wait_for(rows.folder_job("large"), lambda document: document["state"] == "ready")
    assert {image["name"]: image["code"] for image in ended["images"]} == {
        "large.jpg": "file_too_large",
        "good.jpg": None,
    }
