"""The end of a job: exactly its objects are deleted, and nobody else's."""

import json
from collections.abc import Iterable

import pytest
from countermark.jobs import archives, endings, folders, images
from countermark.services import Services

from tests.jobs.made import (
    change,
    folder_job,
    image_row,
    job_row,
    ledger,
    marked,
    picture,
    rows,
    sent,
    stored,
    taken,
    uploaded,
    value,
)

OPTIONS = json.dumps({"format": "png"}).encode()


def ready(own: Services, name: str = "a.png") -> str:
    """A job with its ZIP; its id."""
    job = uploaded(own, name)
    marked(own, job.id)
    archiving = archives.take(own, job.id, 0)
    assert archiving is not None
    own.objects.write("results", archiving.key, b"ZIP", "application/zip")
    assert archives.finish(own, archiving, 3)
    return job.id


def ready_folder(own: Services) -> str:
    """A folder that is marked; its job's id."""
    own.objects.write("drop", "wedding/countermark.json", OPTIONS, "application/json")
    own.objects.write("drop", "wedding/a.png", picture(), "image/png")
    own.objects.age(100)  # type: ignore[attr-defined]
    folders.take(own, own.objects.stat("drop", "wedding/a.png"))
    job = folder_job(own, "wedding")
    marked(own, job.id)
    change(own, "UPDATE jobs SET state = 'ready', expires_at = now() + interval '1 hour'")
    return job.id


def test_a_job_expires_when_its_hour_is_over_and_not_before(own: Services) -> None:
    job = ready(own)
    endings.expire(own, job, at_once=False)
    assert job_row(own, job).state == "ready"
    change(own, "UPDATE jobs SET expires_at = now()")
    endings.expire(own, job, at_once=False)
    assert job_row(own, job).state == "expired"
    assert sent(own, "jobs.expired") == [f"jobs.expired.{job}"]


@pytest.mark.parametrize("state", ["receiving", "processing", "archiving", "ready", "failed"])
def test_a_job_is_ended_at_once_whatever_its_state(own: Services, state: str) -> None:
    job = uploaded(own, "a.png")
    taken(own, job.id)
    change(own, "UPDATE jobs SET state = :state, lease = 'x'", state=state)
    endings.expire(own, job.id, at_once=True)
    assert job_row(own, job.id).is_over
    assert rows(own, "SELECT j.lease, i.lease, in_line FROM jobs j JOIN images i ON job_id = id") == [
        [None, None, False]
    ]


def test_what_is_gone_stays_gone(own: Services) -> None:
    job = ready(own)
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    endings.expire(own, job, at_once=True)
    assert job_row(own, job).state == "gone"


def test_everything_of_a_job_goes_and_nothing_of_others(own: Services) -> None:
    job, other = ready(own), ready(own)
    kept = {("uploads", key) for key in stored(own, "uploads")} | {("results", key) for key in stored(own, "results")}
    kept -= ledger(own, job)
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    left = {("uploads", key) for key in stored(own, "uploads")} | {("results", key) for key in stored(own, "results")}
    assert left == kept == ledger(own, other)
    row = job_row(own, job)
    assert (row.state, row.folder, row.reason, row.archive_key, row.archive_bytes) == ("gone", None, None, None, None)
    assert ledger(own, job) == set()
    assert rows(own, "SELECT number FROM images WHERE job_id = :job", job=job) == []
    assert job_row(own, other).state == "ready"


def test_each_object_is_deleted_once(own: Services) -> None:
    jobs, deleted = [ready(own), ready(own), ready_folder(own)], []
    share = image_row(own, jobs[0]).key
    change(own, "INSERT INTO ledger VALUES ('uploads', :key, :other) RETURNING key", key=share, other=jobs[1])
    delete = own.objects.delete

    def and_write_down(bucket: str, keys: Iterable[str]) -> None:
        deleted.extend([(bucket, key) for key in keys])
        delete(bucket, keys)

    own.objects.delete = and_write_down  # type: ignore[method-assign]
    known = {place for job in jobs for place in ledger(own, job) if place[0] != "drop"}
    for job in jobs:
        endings.expire(own, job, at_once=True)
        endings.delete_objects(own, job)
    assert sorted(deleted) == sorted(known)


def test_nothing_of_its_options_is_kept(own: Services) -> None:
    job = uploaded(own, "a.png", options={"tasks": [{"task": "watermark", "text": "secret"}]})
    change(own, "UPDATE jobs SET options_etag = 'x', options_problem = 'x'")
    endings.expire(own, job.id, at_once=True)
    endings.delete_objects(own, job.id)
    assert rows(own, "SELECT options::text, options_etag, options_problem FROM jobs") == [["{}", None, None]]


def test_a_result_in_the_making_goes_as_well(own: Services) -> None:
    job = uploaded(own, "a.png")
    image = taken(own, job.id)
    own.objects.write("results", image.result_key, b"half", "image/png")
    endings.expire(own, job.id, at_once=True)
    endings.delete_objects(own, job.id)
    assert stored(own, "results") == []


def test_nothing_is_deleted_of_a_job_that_lives(own: Services) -> None:
    job = ready(own)
    before = ledger(own, job)
    endings.delete_objects(own, job)
    endings.delete_objects(own, "nothing")
    assert ledger(own, job) == before
    assert len(stored(own, "results")) == 2
    assert job_row(own, job).state == "ready"


def test_a_folder_goes_with_its_originals_and_options(own: Services) -> None:
    job = ready_folder(own)
    own.objects.write("results", "drop/wedding/a.png", b"copy", "image/png")
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    assert stored(own, "drop") == stored(own, "results") == []


def test_a_file_that_was_dropped_since_stays(own: Services) -> None:
    job = ready_folder(own)
    own.objects.write("drop", "wedding/a.png", picture(colour="#ff0000"), "image/png")
    own.objects.write("drop", "wedding/countermark.json", b"{}", "application/json")
    own.objects.write("drop", "wedding/b.png", picture(), "image/png")
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    assert stored(own, "drop") == ["wedding/a.png", "wedding/b.png", "wedding/countermark.json"]
    assert job_row(own, job).state == "gone"


def drop_as_they_were(own: Services) -> None:
    """Somebody drops the folder's file and options once more."""
    own.objects.write("drop", "wedding/a.png", picture(), "image/png")
    own.objects.write("drop", "wedding/countermark.json", OPTIONS, "application/json")


def test_what_was_dropped_since_as_it_was_stays(own: Services) -> None:
    job = ready_folder(own)
    endings.expire(own, job, at_once=True)
    drop_as_they_were(own)
    endings.delete_objects(own, job)
    assert stored(own, "drop") == ["wedding/a.png", "wedding/countermark.json"]
    assert folders.take(own, own.objects.stat("drop", "wedding/a.png")) == "adopted"


def test_what_was_dropped_as_it_was_while_its_job_was_there_goes_with_it(own: Services) -> None:
    job = ready_folder(own)
    drop_as_they_were(own)
    for key in stored(own, "drop"):
        assert folders.take(own, own.objects.stat("drop", key)) == "known"
    assert (image_row(own, job).state, job_row(own, job).state) == ("done", "ready")
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    assert stored(own, "drop") == []


@pytest.mark.parametrize("way", ["announced", "found by the worker"])
def test_a_file_that_was_replaced_goes_with_its_job(own: Services, way: str) -> None:
    job = ready_folder(own)
    own.objects.write("drop", "wedding/a.png", picture(colour="#ff0000"), "image/png")
    item = own.objects.stat("drop", "wedding/a.png")
    if way == "announced":
        assert folders.take(own, item) == "adopted"
    else:
        change(own, "UPDATE jobs SET state = 'processing'")
        change(own, "UPDATE images SET state = 'waiting'")
        images.replace(own, taken(own, job), item)
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    assert stored(own, "drop") == []


def test_options_that_have_changed_go_with_their_job(own: Services) -> None:
    job = ready_folder(own)
    own.objects.write("drop", "wedding/countermark.json", b"{}", "application/json")
    folders.take(own, own.objects.stat("drop", "wedding/countermark.json"))
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    assert stored(own, "drop") == []


def test_a_file_of_the_first_version_goes_whenever_it_was_stored(own: Services) -> None:
    job = ready_folder(own)
    change(own, "UPDATE images SET stored_at = NULL")
    change(own, "UPDATE jobs SET options_stored_at = NULL")
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    assert stored(own, "drop") == []


def test_a_file_that_left_its_job_is_not_its_any_more(own: Services) -> None:
    job = ready_folder(own)
    change(own, "UPDATE images SET state = 'removed'")
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    assert stored(own, "drop") == ["wedding/a.png"]


def test_what_another_job_shares_goes_with_the_last(own: Services) -> None:
    job, other = ready(own), ready(own)
    key = image_row(own, job).key
    change(own, "INSERT INTO ledger VALUES ('uploads', :key, :other) RETURNING key", key=key, other=other)
    endings.expire(own, job, at_once=True)
    endings.delete_objects(own, job)
    assert key in stored(own, "uploads")
    endings.expire(own, other, at_once=True)
    endings.delete_objects(own, other)
    assert stored(own, "uploads") == stored(own, "results") == []


def test_what_two_jobs_share_that_end_at_one_moment_goes_as_well(own: Services) -> None:
    """Each sees the other's reference; the one that forgets last deletes."""
    job, other = ready(own), ready(own)
    key = image_row(own, job).key
    change(own, "INSERT INTO ledger VALUES ('uploads', :key, :other) RETURNING key", key=key, other=other)
    endings.expire(own, job, at_once=True)
    endings.expire(own, other, at_once=True)

    delete = own.objects.delete

    def and_the_other(bucket: str, keys: list[str]) -> None:
        own.objects.delete = delete  # type: ignore[method-assign]
        endings.delete_objects(own, other)
        delete(bucket, keys)

    own.objects.delete = and_the_other  # type: ignore[method-assign,assignment]
    endings.delete_objects(own, job)
    assert stored(own, "uploads") == stored(own, "results") == []
    assert value(own, "SELECT count(*) FROM ledger") == 0
