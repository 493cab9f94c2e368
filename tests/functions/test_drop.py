"""What the store announces is looked at as it is now: announcements come late, twice and in any order."""

import json
from typing import Any

import pytest
from countermark.jobs.keys import direct_key
from countermark.servers.notifications import ObjectCreated, created_record
from countermark.servers.objects import Refused
from countermark.services import Services

from functions.drop import handler
from functions.drop.arrival import take_object
from functions.upload.links import open_with_links
from tests.functions.conftest import Call, ClientOf, Objects
from tests.jobs.made import change, folder_job, image_row, picture, rows, sent, stored

MARK = '{"task": "watermark", "text": "x"'
WRONG_OPTIONS = [
    "",
    "\0",
    "[]",
    '{"a": 1}',
    '{"a\\u0000": 1}',
    '{"a\\ud800": 1}',
    '{"a": "\\udc00\\ud800"}',
    '{"quality": NaN}',
    '{"quality": 1e400}',
    '{"quality": ' + "9" * 5000 + "}",
    "[" * 100_000,
    '{"a":' * 5000,
    '{"tasks": [' + MARK + ', "b\\u0000": 1}]}',
    '{"tasks": [' + MARK + '\\u0000"}]}',
    '{"tasks": [{"task": "\\u0000"}]}',
    '{"tasks": [{"task": "\\ud800"}]}',
]
"""Files of options."""

MESSAGE = {"ce-type": "objects.created", "Content-Type": "application/json"}


def ordered(own: Services, call: Call) -> Any:
    """A job whose image is to come by a link."""
    return open_with_links(own, call("POST"), {"files": [{"name": "a.png", "size": 3}]})[0]


def test_a_dropped_object_is_an_image_of_its_folders_job(own: Services) -> None:
    own.objects.write("drop", "wedding/day/a.png", picture(), "image/png")
    take_object(own, "drop", "wedding/day/a.png")
    job = folder_job(own, "wedding")
    image = image_row(own, job.id)
    item = own.objects.stat("drop", "wedding/day/a.png")
    assert (image.name, image.bucket, image.key) == ("day/a.png", "drop", item.key)
    assert (image.etag, image.bytes, image.state) == (item.etag, item.bytes, "waiting")
    take_object(own, "drop", "wedding/day/a.png")
    assert len(rows(own, "SELECT number FROM images")) == 1


def test_an_object_that_is_gone_makes_no_job(own: Services) -> None:
    take_object(own, "drop", "wedding/a.png")
    assert rows(own, "SELECT id FROM jobs") == []


def test_a_folder_that_stands_as_an_object_of_its_own_is_no_image(own: Services) -> None:
    own.objects.write("drop", "wedding/day/", b"", "application/x-directory")
    take_object(own, "drop", "wedding/day/")
    assert rows(own, "SELECT id FROM jobs") == []


def test_an_object_that_the_store_does_not_give_is_passed_over(own: Services, store: Objects) -> None:
    def refuse(*_: str) -> None:
        raise Refused("AccessDenied")

    store.stat = refuse  # type: ignore[method-assign,assignment]
    take_object(own, "drop", "wedding/a.png")
    assert rows(own, "SELECT id FROM jobs") == []


def test_an_original_that_came_by_a_link_waits(own: Services, call: Call) -> None:
    job = ordered(own, call)
    key = direct_key(job.id, 1)
    own.objects.write("uploads", key, b"12345", "image/png")
    take_object(own, "uploads", key)
    image = image_row(own, job.id)
    assert (image.state, image.bytes, image.etag) == ("waiting", 5, own.objects.stat("uploads", key).etag)
    assert sent(own) == [f"images.waiting.{job.id}.1.1"]


def test_an_original_that_comes_after_the_end_is_deleted(own: Services, call: Call) -> None:
    job = ordered(own, call)
    change(own, "UPDATE jobs SET state = 'gone'")
    change(own, "DELETE FROM ledger RETURNING key")
    for key in (direct_key(job.id, 1), direct_key("nothing", 1)):
        own.objects.write("uploads", key, b"12345", "image/png")
        take_object(own, "uploads", key)
    assert stored(own, "uploads") == []


def test_an_original_that_somebody_still_refers_to_stays(own: Services, call: Call) -> None:
    job = ordered(own, call)
    change(own, "UPDATE jobs SET state = 'expired'")
    own.objects.write("uploads", direct_key(job.id, 1), b"12345", "image/png")
    take_object(own, "uploads", direct_key(job.id, 1))
    assert stored(own, "uploads") == [direct_key(job.id, 1)]


def test_an_original_of_a_job_that_lives_stays_when_it_comes_twice(own: Services, call: Call) -> None:
    job = ordered(own, call)
    own.objects.write("uploads", direct_key(job.id, 1), b"12345", "image/png")
    for _ in range(2):
        take_object(own, "uploads", direct_key(job.id, 1))
    assert stored(own, "uploads") == [direct_key(job.id, 1)]


def test_other_objects_are_nobodys_business(own: Services) -> None:
    for bucket, key in (("uploads", "posted/x/1"), ("uploads", "direct/x/y"), ("results", "a/b.png")):
        own.objects.write(bucket, key, b"1", "image/png")
        take_object(own, bucket, key)
        assert stored(own, bucket)
    assert rows(own, "SELECT id FROM jobs") == []


def test_a_message_tells_of_objects(own: Services, client_of: ClientOf) -> None:
    client = client_of(handler)
    own.objects.write("drop", "wedding/a b+é.png", picture(), "image/png")
    body = json.dumps(created_record(ObjectCreated(bucket="drop", key="wedding/a b+é.png")))
    assert client.post("/", data=body, headers=MESSAGE).status_code == 204
    assert image_row(own, folder_job(own, "wedding").id).name == "a b+é.png"
    assert client.post("/", data="[]", headers=MESSAGE).status_code == 400


def test_a_file_whose_folder_has_a_job_that_is_not_gone_is_left_to_the_sweep(
    own: Services, client_of: ClientOf
) -> None:
    """A thousand messages that are held would leave no place for those of others."""
    own.objects.write("drop", "wedding/a.png", picture(), "image/png")
    take_object(own, "drop", "wedding/a.png")
    change(own, "UPDATE jobs SET state = 'expired'")
    own.objects.write("drop", "wedding/b.png", picture(), "image/png")
    body = json.dumps(created_record(ObjectCreated(bucket="drop", key="wedding/b.png")))
    assert client_of(handler).post("/", data=body, headers=MESSAGE).status_code == 204
    assert len(rows(own, "SELECT number FROM images")) == 1


@pytest.mark.parametrize("text", WRONG_OPTIONS)
def test_wrong_options_fail_their_images_whatever_they_are(own: Services, text: str) -> None:
    own.objects.write("drop", "wedding/countermark.json", text.encode(), "application/json")
    own.objects.write("drop", "wedding/a.png", picture(), "image/png")
    take_object(own, "drop", "wedding/a.png")
    own.objects.write("drop", "right/a.png", picture(), "image/png")
    take_object(own, "drop", "right/a.png")
    own.objects.write("drop", "right/countermark.json", text.encode(), "application/json")
    take_object(own, "drop", "right/countermark.json")
    for folder in ("wedding", "right"):
        assert folder_job(own, folder).options_problem.startswith("countermark.json")


def test_nobody_calls_it(client_of: ClientOf) -> None:
    answer = client_of(handler).post("/")
    assert answer.status_code == 405
    assert "nobody needs to call this" in answer.text
