"""Processes are killed in the middle of a job, and nothing is lost or doubled."""

import json
from typing import Any

import httpx
import pytest

from tests.client import PHOTOGRAPHS, Caller, picture, report_of, unpack
from tests.system.stream import Stream

COUNT = 24


def photographs() -> list[tuple[str, bytes]]:
    """Enough images to be killed among."""
    return [(f"{number}.jpg", PHOTOGRAPHS[number % len(PHOTOGRAPHS)].read_bytes()) for number in range(COUNT)]


@pytest.mark.parametrize("name", ["watermark", "connector", "archive", "nats", "postgres", "store"])
def test_a_job_survives_the_death_of(platform: Any, caller: Caller, name: str) -> None:
    job = caller.upload(photographs())
    platform.kill(platform.store if name == "store" else name)
    ended = caller.wait(job, seconds=120)
    files = caller.archive(job)
    assert (ended["state"], ended["done"], ended["failed"]) == ("ready", COUNT, 0)
    assert set(files) == {*(name for name, _ in photographs()), "report.json"}
    assert report_of(files)["done"] == COUNT


def test_what_landed_while_the_connector_was_away_is_found(platform: Any, caller: Caller) -> None:
    data = picture()
    listed = [{"name": "a.jpg", "size": len(data)}]
    answer = caller.http.post("/function/upload", json={"files": listed}).json()
    platform.stop("connector")
    try:
        assert httpx.put(answer["uploads"][0]["url"], content=data).status_code == 200
        caller.drop("lost notification/b.jpg", data)
    finally:
        platform.start("connector")
    assert caller.wait(answer["job"])["done"] == 1
    assert set(unpack(caller.result("lost notification.zip", seconds=60))) == {"b.jpg", "report.json"}


def test_a_message_that_comes_twice_changes_nothing(caller: Caller, stream: Stream) -> None:
    job = caller.upload([("a.jpg", picture())])
    before = caller.wait(job)
    record = {
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "uploads"}, "object": {"key": f"posted/{job}/1"}},
    }
    stream.publish("objects.created.uploads", {"Records": [record]})
    stream.publish("jobs.complete", {"job": job})
    stream.publish("reconcile.job", {"job": job})
    stream.publish("reconcile.all", {})
    stream.wait_until_quiet()
    after = caller.status(job)
    assert {**after, "now": None} == {**before, "now": None}


def test_a_message_that_nobody_can_read_goes_to_the_dead_letters_with_the_reason(stream: Stream) -> None:
    stream.publish("objects.created.uploads", {"nonsense": True})
    data, reason = stream.dead_letter("objects.created.uploads")
    assert json.loads(data) == {"nonsense": True}
    assert "not an S3 event notification" in reason
