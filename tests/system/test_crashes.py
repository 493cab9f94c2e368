"""Processes are killed in the middle of a job, and nothing is lost or doubled."""

import json

import pytest
from countermark.servers.notifications import ObjectCreated, created_record

from tests.client import PHOTOGRAPHS, Caller, picture, report_of, unpack
from tests.platform_driver import Platform, wait_until
from tests.system.rows import Rows
from tests.system.stream import Stream

COUNT = 24
"""Several times what the copies of watermark have in hand at once."""
IN_HAND = "SELECT count(*) FROM images WHERE job_id = :job AND state = 'waiting' AND lease IS NOT NULL"


def photographs() -> list[tuple[str, bytes]]:
    """Enough images to be killed among."""
    return [(f"{number}.jpg", PHOTOGRAPHS[number % len(PHOTOGRAPHS)].read_bytes()) for number in range(COUNT)]


@pytest.mark.parametrize("name", ["watermark", "connector", "nats", "postgres", "store"])
def test_a_job_survives_the_death_of(platform: Platform, caller: Caller, rows: Rows, name: str) -> None:
    platform.stop("watermark")
    try:
        job = caller.upload(photographs())
        with platform.asleep(platform.store):  # whoever has an image in hand waits for its bytes
            platform.start("watermark")
            wait_until(lambda: rows.one(IN_HAND, job=rows.id_of(job)))
            platform.kill(platform.store if name == "store" else name)
    finally:
        wait_until(lambda: platform.pids("watermark"))
    check_all(caller, job)


def test_a_job_survives_the_death_of_archive(platform: Platform, caller: Caller, rows: Rows) -> None:
    platform.stop("archive")
    try:
        job = caller.upload(photographs())
        caller.wait_for(job, lambda document: document["state"] == "archiving")
        with platform.asleep(platform.store):
            platform.start("archive")
            wait_until(lambda: rows.one("SELECT lease FROM jobs WHERE token = :token", token=job))
            platform.kill("archive")
    finally:
        wait_until(lambda: platform.pids("archive"))
    check_all(caller, job)


def check_all(caller: Caller, job: str) -> None:
    """The job ends with each of its photographs, once."""
    ended = caller.wait(job, seconds=120)
    files = caller.archive(job)
    assert (ended["state"], ended["done"], ended["failed"]) == ("ready", COUNT, 0)
    assert set(files) == {*(name for name, _ in photographs()), "report.json"}
    assert report_of(files)["done"] == COUNT


def test_what_landed_while_the_connector_was_away_is_found(
    platform: Platform, caller: Caller, rows: Rows, stream: Stream
) -> None:
    data = picture()
    answer = caller.order([("a.jpg", data)])
    platform.stop("connector")
    try:
        assert caller.put(answer["uploads"][0], data) == 200
        caller.drop("lost notification/b.jpg", data)
    finally:
        platform.start("connector")
    rows.compare()
    stream.sweep()
    assert caller.wait(answer["job"])["done"] == 1
    assert set(unpack(caller.result("lost notification.zip", seconds=60))) == {"b.jpg", "report.json"}


def test_a_message_that_comes_twice_changes_nothing(caller: Caller, stream: Stream, rows: Rows) -> None:
    data = picture()
    order = caller.order([("a.jpg", data)])
    caller.put(order["uploads"][0], data)
    before = caller.wait(order["job"])
    job = rows.id_of(order["job"])
    record = created_record(ObjectCreated(bucket="uploads", key=f"direct/{job}/1"))
    stream.wait_until_quiet()
    for _ in range(2):
        stream.publish("objects.created.uploads", record)
        stream.publish(f"images.waiting.{job}.1.1", {"version": 1, "job": job, "number": 1, "revision": 1})
        stream.publish(f"jobs.complete.{job}.0", {"version": 1, "job": job, "revision": 0})
        stream.publish(f"jobs.expired.{job}", {"version": 1, "job": job})
        stream.wait_until_quiet()
    after = caller.status(order["job"])
    assert {**after, "now": None} == {**before, "now": None}


def test_a_message_that_nobody_can_read_goes_to_the_dead_letters_with_the_reason(stream: Stream) -> None:
    stream.publish("objects.created.uploads", {"nonsense": True})
    data, reason = stream.dead_letter("objects.created.uploads")
    assert json.loads(data) == {"nonsense": True}
    assert "not an S3 event notification" in reason
