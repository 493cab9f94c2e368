"""An error of one file is that file's alone, for ever; an error of the moment is nobody's, and counts for nothing."""

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from countermark.http.problems import Unavailable
from countermark.servers.objects import ObjectStore
from countermark.services import Services

from functions.watermark.process import process
from tests.client import Caller, picture, report_of, unpack
from tests.countermark.fake_store import Request, fake_store
from tests.platform_driver import Platform, wait_until
from tests.system.rows import Rows
from tests.system.workshop import ATTEMPTS, Workshop

SLOTS = 32
"""Messages that the connector has in flight to watermark."""
LONGEST_KEY = 1022
"""Bytes; with ``drop/`` before it a copy would have more than the 1,024 that stores take."""
READERS_KEY = {
    "SSECustomerAlgorithm": "AES256",
    "SSECustomerKey": "0" * 32,
}


@pytest.fixture(scope="module")
def place(workshop: Workshop) -> Platform:
    """Where an image is given up after two attempts, so that one that counts wrongly is seen."""
    return workshop.platform


def long_key(folder: str, number: int) -> str:
    """A key of just the longest length."""
    key = f"{folder}/{number:03}/"
    while LONGEST_KEY - len(key) > 200:
        key += "x" * 150 + "/"
    return key + "y" * (LONGEST_KEY - len(key) - 4) + ".jpg"


def test_files_with_the_longest_keys_hold_up_nobody(caller: Caller) -> None:
    folder = uuid.uuid4().hex
    keys = [long_key(folder, number) for number in range(SLOTS)]
    assert {len(key) for key in keys} == {LONGEST_KEY}
    for key in keys:
        caller.drop(key, picture((16, 16)))
    job = caller.upload([("a.jpg", picture())])
    assert caller.wait(job)["done"] == 1
    report = report_of(unpack(caller.result(f"{folder}.zip")))
    assert (report["total"], report["done"]) == (SLOTS, SLOTS)
    # Their copies have the names that they have in the ZIP, which are short enough.
    wait_until(lambda: len(caller.results(folder)) == SLOTS)


def test_a_file_that_only_its_sender_can_read_fails_alone(place: Platform, caller: Caller, rows: Rows) -> None:
    if place.store == "minio":
        pytest.skip("MinIO takes such files by HTTPS alone")
    folder = uuid.uuid4().hex
    caller.s3.put_object(Bucket="drop", Key=f"{folder}/secret.jpg", Body=picture(), **READERS_KEY)
    caller.drop(f"{folder}/open.jpg", picture())
    rows.compare()
    report = report_of(unpack(caller.result(f"{folder}.zip")))
    assert {name: image["code"] for name, image in report["by_name"].items()} == {
        "secret.jpg": "refused_by_store",
        "open.jpg": None,
    }


def test_a_database_that_is_full_for_a_while_costs_no_attempt(caller: Caller, rows: Rows) -> None:
    name = f"{uuid.uuid4().hex}.jpg"
    with rows.failing("images", f"NEW.name = '{name}' AND NEW.state = 'done'", "53100") as failures:
        job = caller.upload([(name, picture())])
        wait_until(lambda: failures.count > ATTEMPTS + 1)
        assert caller.status(job)["failed"] == 0
    assert caller.wait(job)["done"] == 1


def test_an_error_of_ours_is_counted_and_then_the_image_is_given_up(caller: Caller, rows: Rows) -> None:
    name = f"{uuid.uuid4().hex}.jpg"
    with rows.failing("images", f"NEW.name = '{name}' AND NEW.state = 'done'", "XX000") as failures:
        ended = caller.wait(caller.upload([(name, picture()), ("good.jpg", picture())]))
        assert failures.count == ATTEMPTS
    assert [image["code"] for image in ended["images"]] == ["given_up", None]
    assert (ended["state"], ended["failed"]) == ("ready", 1)


def test_a_zip_that_can_not_be_made_fails_its_job_whose_images_can_be_had(caller: Caller, rows: Rows) -> None:
    gate = caller.upload([("first.jpg", picture())])  # so that the job's row is known before it is archived
    caller.wait(gate)
    with rows.failing("jobs", "NEW.state = 'ready' AND NEW.owner LIKE 'address:%'", "XX000") as failures:
        job = caller.upload([("a.jpg", picture())])
        ended = caller.wait(job)
        assert failures.count == ATTEMPTS
    assert (ended["state"], ended["done"], ended["archive"]) == ("failed", 1, None)
    assert "ZIP" in ended["reason"]
    assert ended["expires_at"] is not None
    assert caller.http.get(f"/job/{job}/images/1", follow_redirects=True).status_code == 200


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (429, "TooManyRequests")])
def test_a_store_that_is_busy_costs_no_attempt(
    place: Platform, caller: Caller, rows: Rows, services: Services, status: int, code: str
) -> None:
    def refuse(request: Request) -> None:
        request.error(status, code)

    place.stop("watermark")
    try:
        job = caller.upload([("a.jpg", picture())])
        with fake_store(refuse) as busy:
            own = replace(services, objects=ObjectStore(busy.url, access_key="a", secret_key="b", region="us-east-1"))
            with pytest.raises(Unavailable):
                process(own, rows.id_of(job), 1, 1)
            assert busy.requests
        found = rows.ask("SELECT failures, lease, state FROM images WHERE job_id = :job", job=rows.id_of(job))
        assert found == [[0, None, "waiting"]]
    finally:
        place.start("watermark")
    assert caller.wait(job)["done"] == 1


@pytest.mark.parametrize("table", ["jobs", "images"])
def test_an_upload_that_the_database_can_not_take_leaves_no_open_job(caller: Caller, rows: Rows, table: str) -> None:
    before = open_jobs(rows)
    with rows.failing(table, "true", "53100", event="INSERT"):
        answer = caller.post([("a.jpg", picture())])
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"]
        listed: dict[str, Any] = {"files": [{"name": "a.jpg", "size": 1}]}
        assert caller.http.post("/function/upload", content=json.dumps(listed), headers=JSON).status_code == 503
    wait_until(lambda: open_jobs(rows) == before)


JSON = {"Content-Type": "application/json"}


def open_jobs(rows: Rows) -> int:
    """Jobs that wait for images."""
    return int(rows.one("SELECT count(*) FROM jobs WHERE state = 'receiving' AND source = 'upload'"))
