"""What is deleted is gone, also what comes late; and nothing of somebody else's goes with it."""

import io
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from tests.client import Caller, caller_of, picture, unpack
from tests.platform_driver import Platform, wait_until
from tests.system.objects import Objects
from tests.system.rows import Rows
from tests.system.stream import Stream

MANY = 400


@pytest.fixture
def folder() -> str:
    """A folder of the drop bucket that no other test uses."""
    return uuid.uuid4().hex


def size_of(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


def test_whoever_holds_the_id_deletes_a_job_at_once(caller: Caller, objects: Objects, rows: Rows) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    key = rows.id_of(job)
    assert len(objects.of(key)) == 3
    caller.delete(job)
    assert not objects.of(key)
    assert caller.is_gone(job)
    caller.delete(job)
    assert caller.http.delete(f"/job/{'0' * 32}").status_code == 404
    assert caller.http.delete(f"/job/{key}").status_code == 404, "what is in keys opens nothing"


def test_a_job_that_is_deleted_while_it_runs_leaves_nothing(caller: Caller, objects: Objects, rows: Rows) -> None:
    job = caller.upload([(f"{number}.png", picture((2000, 2000), kind="PNG")) for number in range(8)])
    key = rows.id_of(job)
    caller.delete(job)
    objects.wait_until_none(key)
    assert caller.is_gone(job)


@pytest.mark.parametrize("by", ["its holder", "the hour"])
def test_what_is_sent_by_a_link_after_the_end_is_deleted(
    caller: Caller, objects: Objects, rows: Rows, stream: Stream, by: str
) -> None:
    data = picture()
    answer = caller.order([("early.jpg", data), ("late.jpg", data)])
    job, (early, late) = answer["job"], answer["uploads"]
    key = rows.id_of(job)
    assert caller.put(early, data) == 200
    if by == "its holder":
        caller.delete(job)
    else:
        assert caller.http.post(f"/function/upload/{job}/close").json() == {"given_up": 1}
        caller.wait(job)
        rows.grow_old(job, "expires_at")
        stream.sweep()
    wait_until(lambda: rows.one("SELECT state FROM jobs WHERE token = :token", token=job) == "gone")
    stream.wait_until_quiet()  # the job's deletion is over, so that what is deleted now is so for coming late
    for upload in (early, late):
        assert caller.put(upload, data) == 200, "the link itself is still good"
    objects.wait_until_none(key)
    assert caller.is_gone(job)


def test_an_upload_that_goes_on_after_its_job_was_deleted_is_told_and_leaves_nothing(
    place: Platform, caller: Caller, objects: Objects, rows: Rows
) -> None:
    owner = "127.0.7.1"
    with caller_of(place, owner) as uploader, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(uploader.post, [(f"{number}.jpg", picture((16, 16))) for number in range(MANY)])

        def opened() -> str:
            return rows.one("SELECT token FROM jobs WHERE owner = :owner", owner=f"address:{owner}") or ""

        wait_until(opened)
        job = opened()
        caller.delete(job)
        assert (answer.result().status_code, answer.result().json()["code"]) == (410, "job_expired")
    objects.wait_until_none(rows.id_of(job))


def test_a_change_of_format_leaves_no_copy_of_the_old_one(
    caller: Caller, objects: Objects, rows: Rows, folder: str
) -> None:
    caller.drop(f"{folder}/a.jpg", picture())
    assert set(unpack(caller.result(f"{folder}.zip"))) == {"a.jpg", "report.json"}
    caller.drop(f"{folder}/countermark.json", json.dumps({"format": "webp"}).encode())
    wait_until(lambda: set(unpack(caller.result(f"{folder}.zip"))) == {"a.webp", "report.json"})
    wait_until(lambda: caller.results(folder) == {"a.webp"})
    job = rows.folder_job(folder)
    key = rows.id_of(job)
    caller.delete(job)
    assert objects.of(folder) == []
    assert objects.of(key) == []


def test_a_file_that_is_taken_out_of_its_folder_is_not_in_the_next_zip(caller: Caller, folder: str) -> None:
    for name in ("a.jpg", "b.jpg"):
        caller.drop(f"{folder}/{name}", picture())
    assert set(unpack(caller.result(f"{folder}.zip"))) == {"a.jpg", "b.jpg", "report.json"}
    caller.take_out(f"{folder}/a.jpg")
    caller.drop(f"{folder}/c.jpg", picture())
    wait_until(lambda: set(unpack(caller.result(f"{folder}.zip"))) == {"b.jpg", "c.jpg", "report.json"})
    wait_until(lambda: caller.results(folder) == {"b.jpg", "c.jpg"})


def begins_anew(rows: Rows, folder: str, job: str) -> bool:
    """Whether a folder has another job; the comparison that begins it comes with the next sweep."""
    rows.compare()
    return rows.folder_job(folder) not in {"", job}


def test_a_file_that_is_dropped_again_while_its_job_expires_stays_and_is_marked(
    place: Platform, caller: Caller, rows: Rows, stream: Stream, folder: str
) -> None:
    caller.drop(f"{folder}/a.jpg", picture((60, 40)))
    caller.drop(f"{folder}/b.jpg", picture((60, 40)))
    caller.result(f"{folder}.zip")
    job = rows.folder_job(folder)
    place.stop("expire")
    try:
        rows.grow_old(job, "expires_at")
        stream.sweep()
        wait_until(lambda: rows.one("SELECT state FROM jobs WHERE token = :token", token=job) == "expired")
        caller.drop(f"{folder}/a.jpg", picture((90, 70)))
    finally:
        place.start("expire")
    wait_until(lambda: begins_anew(rows, folder, job))
    assert set(caller.wait(rows.folder_job(folder))["images"][0]) >= {"name", "result"}
    files = unpack(caller.result(f"{folder}.zip"))
    assert set(files) == {"a.jpg", "report.json"}, "b.jpg went with its job"
    assert size_of(files["a.jpg"]) == (90, 70)


def test_a_folder_takes_files_for_a_day_and_then_begins_anew(
    caller: Caller, rows: Rows, stream: Stream, folder: str
) -> None:
    caller.drop(f"{folder}/a.jpg", picture())
    caller.result(f"{folder}.zip")
    first = rows.folder_job(folder)
    rows.grow_old(first, "created_at", "25 hours")
    caller.drop(f"{folder}/b.jpg", picture())
    rows.compare()
    stream.sweep()
    wait_until(rows.is_compared)
    assert caller.status(first)["total"] == 1
    rows.grow_old(first, "expires_at")
    stream.sweep()
    wait_until(lambda: begins_anew(rows, folder, first))
    wait_until(lambda: caller.results(folder) == {"b.jpg"})
    assert set(unpack(caller.result(f"{folder}.zip"))) == {"b.jpg", "report.json"}


def test_originals_that_two_jobs_share_go_with_the_last(caller: Caller, objects: Objects, rows: Rows) -> None:
    first = caller.upload([("a.jpg", picture())])
    caller.wait(first)
    second = caller.again(first).json()["job"]
    caller.delete(first)
    assert [key.split("/")[0] for key in objects.of(rows.id_of(first))] == ["uploads"]
    assert caller.wait(second)["done"] == 1
    assert caller.http.get(f"/job/{second}/images/1/original", follow_redirects=True).content == picture()
    caller.delete(second)
    assert objects.of(rows.id_of(first)) == []
    assert objects.of(rows.id_of(second)) == []


def test_what_nobody_knows_is_deleted_after_a_minute_and_not_before(
    objects: Objects, rows: Rows, stream: Stream
) -> None:
    key = f"posted/{uuid.uuid4().hex}/1"
    objects.store.write("uploads", key, b"x", "image/jpeg")
    rows.compare()
    stream.sweep()
    wait_until(rows.is_compared)
    assert objects.of(key) == [f"uploads/{key}"], "a row may be on its way"
