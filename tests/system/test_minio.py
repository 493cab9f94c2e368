"""Real MinIO: its own notifications drive the flow, and neither its death nor the stream's loses one.

Where a test is to prove what the notifications do alone, the sweep goes on but does not compare the store with the
rows, which would find what a lost notification leaves behind.
"""

import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pytest
from boto3.s3.transfer import TransferConfig
from PIL import Image

from tests.client import PHOTOGRAPHS, Caller, is_marked, picture, unpack
from tests.platform_driver import Platform, wait_until
from tests.system.objects import Objects
from tests.system.rows import Rows
from tests.system.stream import Stream

pytestmark = pytest.mark.skipif(os.environ.get("STORE") != "minio", reason="make test STORE=minio runs these")

MIB = 1024 * 1024
SECONDS_TO_COME = 8
"""MinIO looks into its queue every three seconds; a comparison would come every thirty."""


@pytest.fixture
def alone(rows: Rows) -> Iterator[None]:
    """Nobody finds what a lost notification would leave behind."""
    rows.ask("UPDATE sweeps SET compared_at = 'infinity' RETURNING one")
    yield
    rows.compare()


@pytest.fixture
def folder() -> str:
    """A folder of the drop bucket whose name needs to be escaped."""
    return f"свадьба 1+1 {uuid.uuid4().hex[:8]}"


@contextmanager
def stopped(platform: Platform, name: str) -> Iterator[None]:
    """A part is away for a while."""
    platform.stop(name)
    try:
        yield
    finally:
        platform.start(name)


def order(caller: Caller, data: bytes, count: int) -> tuple[str, list[str]]:
    """A job that waits for so many images, and the links that take them."""
    answer = caller.order([(f"{number} ночь+1.jpg", data) for number in range(count)])
    return answer["job"], [upload["url"] for upload in answer["uploads"]]


@pytest.mark.usefixtures("alone")
def test_an_upload_by_a_link_is_announced_by_the_store_itself(caller: Caller, stream: Stream) -> None:
    data = picture()
    job, (link,) = order(caller, data, 1)
    assert httpx.URL(link).netloc == httpx.URL(caller.url).netloc
    message = stream.hear("objects.created.uploads", lambda: httpx.put(link, content=data).raise_for_status())
    (record,) = message["Records"]
    assert (record["eventSource"], record["eventName"]) == ("minio:s3", "s3:ObjectCreated:Put")
    assert caller.wait(job, SECONDS_TO_COME)["done"] == 1
    assert is_marked(data, caller.archive(job)["0 ночь+1.jpg"])
    assert httpx.put(link, content=data + b"more").status_code == 403


@pytest.mark.usefixtures("alone")
def test_what_is_dropped_is_announced_by_the_store_itself(caller: Caller, stream: Stream, folder: str) -> None:
    data = picture()
    message = stream.hear("objects.created.drop", lambda: caller.drop(f"{folder}/a b+c.jpg", data))
    assert [record["eventSource"] for record in message["Records"]] == ["minio:s3"]
    assert is_marked(data, caller.result(f"{folder}/a b+c.jpg", SECONDS_TO_COME))


@pytest.mark.usefixtures("alone")
def test_a_large_file_that_comes_in_parts_is_announced_once_it_is_whole(
    caller: Caller, stream: Stream, folder: str
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (2000, 2200, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG", compress_level=0)
    assert out.tell() > 12 * MIB
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)

    def drop() -> None:
        caller.s3.upload_fileobj(io.BytesIO(out.getvalue()), "drop", f"{folder}/large.png", Config=parts)

    (record,) = stream.hear("objects.created.drop", drop, seconds=SECONDS_TO_COME)["Records"]
    assert record["eventName"] == "s3:ObjectCreated:CompleteMultipartUpload"
    assert record["s3"]["object"]["size"] == out.tell()
    caller.result(f"{folder}/large.png", 20)


def test_posted_images_and_results_are_not_announced(caller: Caller, stream: Stream) -> None:
    def post() -> None:
        caller.wait(caller.upload([("a.jpg", picture())]))

    with pytest.raises(TimeoutError):
        stream.hear("objects.>", post, seconds=4)


@pytest.mark.parametrize("comparing", [False, True], ids=["alone", "with the comparison"])
def test_what_lands_while_the_stream_is_away_is_announced_when_it_is_back(
    platform: Platform, caller: Caller, folder: str, comparing: bool, request: pytest.FixtureRequest
) -> None:
    if not comparing:
        request.getfixturevalue("alone")
    data = picture()
    job, links = order(caller, data, 9)
    for link in links[:3]:
        assert httpx.put(link, content=data).status_code == 200
    with stopped(platform, "nats"):
        for number, link in enumerate(links[3:6]):
            assert httpx.put(link, content=data, timeout=30).status_code == 200
            caller.drop(f"{folder}/{number}.jpg", data)
    for link in links[6:]:
        assert httpx.put(link, content=data).status_code == 200
    assert caller.wait(job, 60)["done"] == 9
    for number in range(3):
        assert is_marked(data, caller.result(f"{folder}/{number}.jpg"))
    assert set(unpack(caller.result(f"{folder}.zip"))) == {"0.jpg", "1.jpg", "2.jpg", "report.json"}


@pytest.mark.usefixtures("alone")
def test_what_the_store_confirmed_before_it_was_killed_is_announced_when_it_is_back(
    platform: Platform, caller: Caller
) -> None:
    data = PHOTOGRAPHS[0].read_bytes()
    job, links = order(caller, data, 12)
    for number, link in enumerate(links):
        if number % 3 == 2:  # the link that follows waits for its start
            platform.kill("minio")
        wait_until(lambda link=link: httpx.put(link, content=data, timeout=30).status_code == 200)
    ended = caller.wait(job, 60)
    assert (ended["done"], ended["failed"]) == (12, 0)


@pytest.mark.usefixtures("alone")
def test_a_notification_that_comes_twice_changes_nothing(caller: Caller, stream: Stream, folder: str) -> None:
    data = picture()
    job, (link,) = order(caller, data, 1)
    sent = stream.hear("objects.created.uploads", lambda: httpx.put(link, content=data).raise_for_status())
    dropped = stream.hear("objects.created.drop", lambda: caller.drop(f"{folder}/a.jpg", data))
    before, marked = caller.wait(job), caller.result(f"{folder}/a.jpg")
    packed = caller.result(f"{folder}.zip")
    for _ in range(2):
        stream.publish("objects.created.uploads", sent)
        stream.publish("objects.created.drop", dropped)
    stream.wait_until_quiet()
    assert {**caller.status(job), "now": None} == {**before, "now": None}
    assert (caller.result(f"{folder}/a.jpg"), caller.result(f"{folder}.zip")) == (marked, packed)


@pytest.mark.usefixtures("alone")
def test_what_comes_by_a_link_after_its_job_was_deleted_is_deleted(
    caller: Caller, rows: Rows, objects: Objects
) -> None:
    data = picture()
    job, links = order(caller, data, 2)
    job_id = rows.id_of(job)
    httpx.put(links[0], content=data).raise_for_status()
    caller.delete(job)
    httpx.put(links[1], content=data).raise_for_status()
    objects.wait_until_none(job_id, SECONDS_TO_COME)
