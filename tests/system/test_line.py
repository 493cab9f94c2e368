"""Nobody waits behind another's ten thousand images; told by the order in which images end, never by a clock."""

import io
import os
import uuid

import pytest
from PIL import Image

from infra.local.plan import SHARE_A_CORE
from tests.client import Caller, caller_of, picture
from tests.platform_driver import Platform, wait_until
from tests.system.rows import Rows
from tests.system.stream import Stream

SHARE = SHARE_A_CORE * len(os.sched_getaffinity(0))
"""Images of one owner that are in line at a time."""
AHEAD = 3 * SHARE + 8
"""Images of a large job that may end before a small one's: those in line, and those that end while it is marked."""
BULK = 3 * AHEAD

EARLIER = """
SELECT count(*) FROM images bulk, images one
WHERE bulk.job_id = :bulk AND one.job_id = :one AND bulk.state = 'done' AND bulk.updated_at < one.updated_at
"""


@pytest.mark.parametrize("is_same", [False, True], ids=["another owner", "the same owner"])
def test_a_small_job_does_not_wait_for_a_large_one(place: Platform, caller: Caller, rows: Rows, is_same: bool) -> None:
    image = picture((800, 600))
    with caller_of(place, "127.0.8.1") as owner, caller_of(place, "127.0.8.2") as other:
        place.stop("watermark")
        try:
            bulk = owner.upload([(f"{number}.jpg", image) for number in range(BULK)])
            one = (owner if is_same else other).upload([("one.jpg", image)])
        finally:
            place.start("watermark")
        for job, count in ((one, 1), (bulk, BULK)):
            assert caller.wait(job, 120)["done"] == count
        earlier = rows.one(EARLIER, bulk=rows.id_of(bulk), one=rows.id_of(one))
        assert earlier <= AHEAD
        for job in (one, bulk):
            caller.delete(job)


def test_an_owner_has_a_share_of_the_line_whatever_the_number_of_his_jobs(
    place: Platform, caller: Caller, rows: Rows, stream: Stream
) -> None:
    with caller_of(place, "127.0.8.3") as owner:
        place.stop("watermark")
        try:
            jobs = [owner.upload([(f"{n}.jpg", picture()) for n in range(SHARE)]) for _ in range(3)]
            told = [subject for subject in stream.subjects("COUNTERMARK") if subject.startswith("images.waiting.")]
            keys = {rows.id_of(job) for job in jobs}
            assert sum(subject.split(".")[2] in keys for subject in told) == SHARE
            stream.sweep()
        finally:
            place.start("watermark")
        assert [caller.wait(job)["done"] for job in jobs] == [SHARE] * 3


def test_pages_do_not_wait_for_bulk_work(place: Platform, caller: Caller) -> None:
    ready = caller.upload([("a.jpg", picture((900, 600)))])
    caller.wait(ready)
    place.stop("watermark")  # as good as never
    try:
        waiting = caller.upload([("b.jpg", picture((900, 600)))])
        small = [
            caller.http.get(f"/job/{job}/images/1/small{query}")
            for job, query in ((ready, ""), (ready, "?of=original"), (waiting, "?of=original"))
        ]
        assert [answer.status_code for answer in small] == [200, 200, 200]
        marked = caller.http.post("/function/preview?text=mine", content=picture((900, 600)))
        assert marked.status_code == 200
        assert Image.open(io.BytesIO(marked.content)).size == (900, 600)
    finally:
        place.start("watermark")
    assert caller.wait(waiting)["done"] == 1


def test_ten_thousand_files_of_one_name_are_named_soon(caller: Caller, rows: Rows) -> None:
    limit = caller.http.get("/function/upload").json()["limits"]["files"]
    assert limit == 10_000
    answer = caller.order([("same.jpg", b"x")] * limit)
    assert len(answer["uploads"]) == limit
    names = "SELECT count(DISTINCT result_name), count(DISTINCT folded_name) FROM images WHERE job_id = :job"
    assert rows.ask(names, job=rows.id_of(answer["job"])) == [[limit, limit]]
    caller.delete(answer["job"])


def test_nothing_piles_up_without_a_connector(place: Platform, caller: Caller, stream: Stream) -> None:
    folder = uuid.uuid4().hex
    place.stop("connector")
    try:
        job = caller.upload([("a.jpg", picture())])
        caller.drop(f"{folder}/a.jpg", picture())
        for _ in range(3):
            stream.sweep()
        wait_until(lambda: stream.subjects("SCHEDULES").get("reconcile.sweep") == 1)
        waiting = stream.subjects("COUNTERMARK")
        assert set(waiting.values()) <= {1}
    finally:
        place.start("connector")
    assert caller.wait(job)["done"] == 1
    caller.result(f"{folder}/a.jpg")
