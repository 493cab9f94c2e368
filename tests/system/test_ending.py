"""Jobs end, whatever happens: every state has a deadline, and links end with their job."""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.client import Caller, picture, report_of, unpack
from tests.platform_driver import Platform, wait_until
from tests.system.objects import Objects
from tests.system.rows import Rows
from tests.system.stream import Stream


def links_of(caller: Caller, job: str) -> list[str]:
    """Every link that is given out for a job with one image."""
    paths = ("archive", "images/1", "images/1/original")
    return [caller.http.get(f"/job/{job}/{path}").headers["Location"] for path in paths]


def seconds_of(link: str) -> int:
    """How long a link opens its object."""
    return int(parse_qs(urlsplit(link).query)["X-Amz-Expires"][0])


def seconds_left(ended: dict[str, Any]) -> float:
    return (datetime.fromisoformat(ended["expires_at"]) - datetime.fromisoformat(ended["now"])).total_seconds()


def test_an_hour_after_it_is_ready_everything_of_a_job_is_deleted(
    caller: Caller, objects: Objects, rows: Rows, stream: Stream
) -> None:
    job = caller.upload([("a.jpg", picture()), ("bad.jpg", b"no image")])
    left = seconds_left(caller.wait(job))
    assert 3500 < left <= 3600
    key = rows.id_of(job)
    assert len(objects.of(key)) == 4, "two originals, a result and a ZIP"
    rows.grow_old(job, "expires_at", "1 hour")
    stream.sweep()
    objects.wait_until_none(key)
    answer = caller.http.get(f"/job/{job}", headers={"Accept": "text/html"})
    assert answer.status_code == 410
    assert "<html" in answer.text


def test_what_has_expired_is_not_shown_also_while_nobody_has_noticed(
    place: Platform, caller: Caller, objects: Objects, rows: Rows
) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    place.stop("reconcile")
    try:
        rows.grow_old(job, "expires_at", "1 hour")
        for path in (
            "",
            "/archive",
            "/images/1",
            "/images/1/original",
            "/images/1/small",
            "/images/1/small?of=original",
        ):
            assert caller.http.get(f"/job/{job}{path}").json()["code"] == "job_expired"
        for path in ("close", "again"):
            assert caller.http.post(f"/function/upload/{job}/{path}").json()["code"] == "job_expired"
        assert objects.of(rows.id_of(job)), "it was too late to show anything"
    finally:
        place.start("reconcile")
    objects.wait_until_none(rows.id_of(job))


def test_links_end_with_their_job(caller: Caller, rows: Rows) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    assert all(3000 < seconds_of(link) <= 3600 for link in links_of(caller, job))
    rows.grow_old(job, "expires_at", "58 minutes")
    for link in links_of(caller, job):
        assert 0 < seconds_of(link) <= 120
        assert httpx.get(link).status_code == 200
    caller.delete(job)


def test_a_link_whose_time_is_over_opens_nothing(caller: Caller, objects: Objects, rows: Rows) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    left = seconds_left(caller.status(job))
    rows.grow_old(job, "expires_at", f"{left - 3} seconds")
    link = caller.http.get(f"/job/{job}/images/1").headers["Location"]
    rows.grow_old(job, "expires_at", "-1 hour")  # so that its objects stay, and the link alone ends
    wait_until(lambda: httpx.get(link).status_code == 403)
    assert any("/1." in key for key in objects.of(rows.id_of(job)))
    caller.delete(job)


def test_images_that_never_arrive_do_not_keep_a_job_open(caller: Caller, rows: Rows, stream: Stream) -> None:
    data = picture()
    answer = caller.order([("sent.jpg", data), ("never.jpg", data)])
    job = answer["job"]
    assert caller.put(answer["uploads"][0], data) == 200
    caller.wait_for(job, lambda document: document["done"] == 1)
    rows.grow_old(job, "progress_at")
    stream.sweep()
    ended = caller.wait(job)
    assert (ended["state"], ended["done"], ended["images"][1]["code"]) == ("ready", 1, "not_uploaded")
    assert report_of(caller.archive(job))["by_name"]["never.jpg"]["code"] == "not_uploaded"


def test_a_job_without_an_image_that_arrived_fails_and_goes(caller: Caller, rows: Rows, stream: Stream) -> None:
    job = caller.order([("never.jpg", picture())])["job"]
    rows.grow_old(job, "progress_at")
    stream.sweep()
    assert caller.wait(job)["state"] == "failed"
    rows.grow_old(job, "expires_at")
    stream.sweep()
    wait_until(lambda: rows.one("SELECT state FROM jobs WHERE token = :token", token=job) == "gone")


def test_waiting_in_line_has_no_deadline(
    place: Platform, caller: Caller, rows: Rows, stream: Stream, objects: Objects
) -> None:
    place.stop("watermark")
    try:
        job = caller.upload([("a.jpg", picture()), ("b.jpg", picture())])
        rows.grow_old(job, "progress_at")
        for _ in range(2):
            rows.wait_for_a_sweep(stream.sweep)
        assert caller.status(job)["waiting"] == 2
    finally:
        place.start("watermark")
    assert caller.wait(job)["done"] == 2
    caller.delete(job)
    objects.wait_until_none(rows.id_of(job))


LONG_UNTOLD = "sent_at = now() - interval '1 hour'"
"""So a row is when its message was lost: in its state, and sent a while ago."""


def test_an_archive_that_nobody_tells_of_is_made_all_the_same(caller: Caller, rows: Rows, stream: Stream) -> None:
    job = caller.upload([("a.jpg", picture())])
    first = caller.wait(job)
    untold = "UPDATE jobs SET state = 'archiving', ready_at = NULL, expires_at = NULL, "
    rows.ask(f"{untold} {LONG_UNTOLD} WHERE token = :token RETURNING id", token=job)
    stream.sweep()
    assert caller.wait(job)["ready_at"] > first["ready_at"]


def test_an_expiry_that_nobody_tells_of_is_done_all_the_same(
    caller: Caller, objects: Objects, rows: Rows, stream: Stream
) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    rows.ask(f"UPDATE jobs SET state = 'expired', {LONG_UNTOLD} WHERE token = :token RETURNING id", token=job)
    assert objects.of(rows.id_of(job))
    stream.sweep()
    objects.wait_until_none(rows.id_of(job))


def test_an_image_that_nobody_tells_of_is_marked_all_the_same(
    place: Platform, caller: Caller, rows: Rows, stream: Stream
) -> None:
    place.stop("connector")
    try:
        job = caller.upload([("a.jpg", picture())])
        stream.lose("images.waiting.>")
        sql = f"UPDATE images SET {LONG_UNTOLD} WHERE job_id = :job RETURNING number"
        assert rows.ask(sql, job=rows.id_of(job))
    finally:
        place.start("connector")
    stream.sweep()
    assert caller.wait(job)["done"] == 1


def test_a_dropped_folder_expires_with_its_originals_and_can_be_dropped_again(
    caller: Caller, objects: Objects, rows: Rows, stream: Stream
) -> None:
    caller.drop("expiring/countermark.json", b"{}")
    for size in ((60, 40), (90, 70)):
        caller.drop("expiring/a.jpg", picture(size))
        assert unpack(caller.result("expiring.zip"))
        rows.grow_old(rows.folder_job("expiring"), "expires_at")
        stream.sweep()
        objects.wait_until_none("expiring")


def test_what_is_remembered_of_a_job_that_is_gone_is_forgotten_after_a_day(
    caller: Caller, rows: Rows, stream: Stream
) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.delete(job)
    options = "SELECT options FROM jobs WHERE token = :token AND state = 'gone'"
    wait_until(lambda: rows.one(options, token=job) == {})
    assert caller.is_gone(job)
    rows.grow_old(job, "expires_at", "25 hours")
    stream.sweep()
    wait_until(lambda: caller.http.get(f"/function/status/{job}").status_code == 404)
