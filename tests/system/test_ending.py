"""Jobs end, whatever happens, and their files go with them. On a platform whose times are short."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.client import Caller, caller_of, picture, report_of, unpack
from tests.system.objects import Objects

LIFETIME = 4


@pytest.fixture(scope="module")
def hasty(make_platform: Any) -> Iterator[Any]:
    """A platform on which jobs live for seconds and messages are given up after two attempts."""
    with make_platform(JOB_LIFETIME=str(LIFETIME), UPLOAD_SECONDS="6", ATTEMPTS="2", DROP_QUIET="1") as platform:
        yield platform


@pytest.fixture(scope="module")
def caller(hasty: Any) -> Iterator[Caller]:
    """Somebody who uses that platform."""
    with caller_of(hasty) as caller:
        yield caller


@pytest.fixture(scope="module")
def objects(hasty: Any) -> Iterator[Objects]:
    """What is in that platform's object store."""
    objects = Objects(hasty.store_url, hasty.secret("s3-access-key"), hasty.secret("s3-secret-key"))
    yield objects
    objects.store.close()


def gone(caller: Caller, job: str) -> bool:
    return caller.http.get(f"/function/status/{job}").status_code == 410


def test_an_hour_after_it_is_ready_everything_of_a_job_is_deleted(caller: Caller, objects: Objects) -> None:
    job = caller.upload([("a.jpg", picture()), ("bad.jpg", b"no image")])
    caller.wait(job)
    link = caller.http.get(f"/job/{job}/archive").headers["Location"]
    assert caller.http.get(link).status_code == 200
    objects.wait_until(lambda: not objects.of(job), LIFETIME + 20)
    assert gone(caller, job)
    assert caller.http.get(link).status_code in {403, 404}
    answer = caller.http.get(f"/job/{job}", headers={"Accept": "text/html"})
    assert answer.status_code == 410
    assert "<html" in answer.text
    assert caller.http.get(f"/job/{job}/archive").json()["code"] == "job_expired"


def test_whoever_holds_the_id_deletes_a_job_at_once(caller: Caller, objects: Objects) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    assert objects.of(job)
    assert caller.http.delete(f"/job/{job}").status_code == 204
    assert not objects.of(job)
    assert gone(caller, job)
    assert caller.http.delete(f"/job/{job}").status_code == 204
    assert caller.http.delete(f"/job/{'0' * 32}").status_code == 404


def test_a_job_that_is_deleted_while_it_runs_leaves_nothing(caller: Caller, objects: Objects) -> None:
    job = caller.upload([(f"{number}.png", picture((2000, 2000), kind="PNG")) for number in range(8)])
    assert caller.http.delete(f"/job/{job}").status_code == 204
    objects.wait_until(lambda: not objects.of(job), 20)
    assert gone(caller, job)


def test_images_that_never_arrive_do_not_keep_a_job_open(caller: Caller) -> None:
    answer = caller.http.post("/function/upload", json={"files": [{"name": "a.jpg", "size": 10}]})
    ended = caller.wait(answer.json()["job"], seconds=30)
    assert (ended["state"], ended["images"][0]["code"]) == ("failed", "out_of_time")


def test_an_image_that_no_function_takes_fails_with_a_reason_and_its_job_ends(caller: Caller, hasty: Any) -> None:
    hasty.stop("watermark")
    try:
        job = caller.upload([("a.jpg", picture())])
        ended = caller.wait(job, seconds=60)
    finally:
        hasty.start("watermark")
    assert ended["state"] == "failed"
    assert ended["images"][0]["code"] in {"given_up", "out_of_time"}
    assert report_of(caller.archive(job))["failed"] == 1


def test_a_dropped_folder_expires_with_its_originals(caller: Caller, objects: Objects) -> None:
    caller.drop("expiring/a.jpg", picture())
    caller.drop("expiring/countermark.json", b"{}")
    assert unpack(caller.result("expiring.zip"))
    objects.wait_until(lambda: not objects.of("expiring"), LIFETIME + 20)


def test_a_folder_that_expired_can_be_dropped_again(caller: Caller, objects: Objects) -> None:
    for _ in range(2):
        caller.drop("again/a.jpg", picture())
        assert unpack(caller.result("again.zip"))
        objects.wait_until(lambda: not objects.of("again"), LIFETIME + 20)
