"""The attempts at a job's ZIP: the same leases as for images, and only what is of the current revision counts."""

from dataclasses import replace

import pytest
from countermark.jobs import archives, folders
from countermark.jobs.archives import Archiving
from countermark.jobs.keys import archive_key
from countermark.services import Services

from tests.jobs.made import (
    change,
    dropped,
    folder_job,
    image_row,
    job_row,
    ledger,
    marked,
    rows,
    sent,
    uploaded,
    value,
)


def complete(own: Services, *names: str) -> str:
    """A job all of whose images are marked; its id."""
    job = uploaded(own, *(names or ("a.png",)))
    for number in range(1, len(names or ("a.png",)) + 1):
        marked(own, job.id, number)
    return job.id


def taken(own: Services, job_id: str, revision: int = 0) -> Archiving:
    found = archives.take(own, job_id, revision)
    assert found is not None
    return found


def quiet_folder(own: Services) -> str:
    """A folder whose two images are marked and which is complete; its job's id."""
    dropped(own, "wedding/a.png")
    dropped(own, "wedding/b.png")
    job = folder_job(own, "wedding")
    marked(own, job.id, 1)
    marked(own, job.id, 2)
    change(own, "UPDATE jobs SET state = 'archiving'")
    return job.id


def seconds_left(own: Services) -> float:
    return float(value(own, "SELECT extract(epoch FROM lease_until - now()) FROM jobs"))


def test_a_zip_is_written_down_before_it_is_made(own: Services) -> None:
    job = complete(own)
    archiving = taken(own, job)
    assert archiving.key == archive_key(job, 0, archiving.lease)
    assert {key for _, key in ledger(own, job) if "archive" in key} == {archiving.key}
    assert archiving.job.id == job
    assert seconds_left(own) == pytest.approx(own.settings.lease_seconds, abs=2)


def test_a_folders_zip_is_written_down_where_people_see_it(own: Services) -> None:
    job = quiet_folder(own)
    archiving = taken(own, job)
    assert archives.finish(own, archiving, 7)
    assert ("results", "drop/wedding.zip") in ledger(own, job), "it is copied there after this"


def test_one_that_somebody_makes_is_left_to_him(own: Services) -> None:
    job = complete(own)
    archiving = taken(own, job)
    assert archives.take(own, job, 0) is None
    assert archives.take(own, job, 1) is None
    assert archives.take(own, "nothing", 0) is None
    assert value(own, "SELECT lease FROM jobs") == archiving.lease


@pytest.mark.parametrize("state", ["receiving", "processing", "ready", "failed", "expired"])
def test_none_is_made_of_a_job_that_is_not_complete_or_has_ended(own: Services, state: str) -> None:
    job = complete(own)
    change(own, "UPDATE jobs SET state = :state", state=state)
    assert archives.take(own, job, 0) is None


def test_a_lease_can_be_renewed_by_its_holder(own: Services) -> None:
    archiving = taken(own, complete(own))
    change(own, "UPDATE jobs SET lease_until = now() - interval '1 s'")
    archives.renew(own, replace(archiving, lease="another"))
    assert seconds_left(own) < 0
    archives.renew(own, archiving)
    assert seconds_left(own) == pytest.approx(own.settings.lease_seconds, abs=2)


def test_a_job_with_a_zip_is_ready_for_its_hour(own: Services) -> None:
    job = complete(own)
    archiving = taken(own, job)
    assert archives.finish(own, archiving, 77) is True
    row = job_row(own, job)
    assert (row.state, row.reason, row.archive_key, row.archive_bytes) == ("ready", None, archiving.key, 77)
    assert row.ready_at is not None
    assert row.expires_at is not None
    assert (row.expires_at - row.ready_at).total_seconds() == own.settings.job_lifetime
    assert rows(own, "SELECT lease, lease_until FROM jobs") == [[None, None]]


def test_a_job_without_a_marked_image_has_failed(own: Services) -> None:
    job = complete(own)
    change(own, "UPDATE images SET state = 'failed'")
    archiving = taken(own, job)
    assert archives.finish(own, archiving, 77)
    row = job_row(own, job)
    assert (row.state, row.reason) == ("failed", "None of the images could be processed.")


@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE jobs SET lease = 'another'",
        "UPDATE jobs SET revision = 1",
        "UPDATE jobs SET state = 'receiving'",
        "UPDATE jobs SET state = 'expired'",
    ],
)
def test_a_zip_of_what_went_on_is_out_of_date(own: Services, meanwhile: str) -> None:
    job = complete(own)
    archiving = taken(own, job)
    change(own, meanwhile)
    assert archives.finish(own, archiving, 77) is False
    assert job_row(own, job).archive_key is None
    assert job_row(own, job).state != "ready"


def test_an_end_that_is_asked_twice_is_still_the_holders(own: Services) -> None:
    archiving = taken(own, complete(own))
    assert archives.finish(own, archiving, 77)
    assert archives.finish(own, archiving, 77) is True


def test_after_some_failed_attempts_the_job_fails_and_its_hour_begins(own: Services) -> None:
    job = complete(own)
    outcomes = [
        archives.release(own, job, taken(own, job).lease, counted=True) for _ in range(own.settings.archive_attempts)
    ]
    assert outcomes == ["released", "released", "given_up"]
    row = job_row(own, job)
    assert row.state == "failed"
    assert "ZIP could not be made" in str(row.reason)
    assert row.ready_at is not None
    assert row.expires_at is not None
    assert (row.expires_at - row.ready_at).total_seconds() == own.settings.job_lifetime
    assert value(own, "SELECT lease FROM jobs") is None


def test_an_attempt_in_an_outage_does_not_count(own: Services) -> None:
    job = complete(own)
    for _ in range(own.settings.archive_attempts + 1):
        assert archives.release(own, job, taken(own, job).lease, counted=False) == "released"
    assert value(own, "SELECT failures FROM jobs") == 0


def test_who_has_no_lease_gives_none_back(own: Services) -> None:
    job = complete(own)
    archiving = taken(own, job)
    assert archives.release(own, job, "another", counted=True) == "stale"
    assert value(own, "SELECT lease FROM jobs") == archiving.lease


@pytest.mark.parametrize("resend", [False, True])
def test_a_message_is_sent_again_when_nobody_holds_it(own: Services, resend: bool) -> None:
    job = complete(own)
    archiving = taken(own, job)
    own.publisher.messages.clear()  # type: ignore[attr-defined]
    archives.release(own, job, archiving.lease, counted=False, resend=resend)
    messages = own.publisher.messages  # type: ignore[attr-defined]
    assert sent(own) == ([f"jobs.complete.{job}.0.0"] if resend else [])
    assert list(messages.values()) == ([[{"version": 1, "job": job, "revision": 0}]] if resend else [])


def test_what_a_folder_has_is_known_by_its_keys(own: Services) -> None:
    job = quiet_folder(own)
    change(own, "UPDATE images SET state = 'failed' WHERE number = 2")
    archiving = taken(own, job)
    assert archives.dropped_images(own, archiving) == {"wedding/a.png": 1, "wedding/b.png": 2}
    change(own, "UPDATE images SET state = 'removed' WHERE number = 2")
    assert archives.dropped_images(own, archiving) == {"wedding/a.png": 1}


def test_files_that_were_taken_out_leave_the_job(own: Services) -> None:
    job = quiet_folder(own)
    archiving = taken(own, job)
    archives.remove_images(own, replace(archiving, lease="another"), [1, 2])
    assert image_row(own, job, 1).state == "done"
    archives.remove_images(own, archiving, [2])
    assert [image_row(own, job, number).state for number in (1, 2)] == ["done", "removed"]
    assert image_row(own, job, 2).result_key is None


def test_a_file_that_comes_back_is_an_image_again(own: Services) -> None:
    job = quiet_folder(own)
    archives.remove_images(own, taken(own, job), [2])
    assert folders.take(own, own.objects.stat("drop", "wedding/b.png")) == "adopted"
    image = image_row(own, job, 2)
    assert (image.state, image.revision, image.result_name) == ("waiting", 2, "b.png")


def test_a_lost_result_is_made_again(own: Services) -> None:
    job = complete(own, "a.png", "b.png")
    archiving = taken(own, job)
    own.publisher.messages.clear()  # type: ignore[attr-defined]
    archives.redo_image(own, replace(archiving, lease="another"), 2)
    assert image_row(own, job, 2).state == "done"
    archives.redo_image(own, archiving, 2)
    assert (image_row(own, job, 2).state, image_row(own, job, 2).revision) == ("waiting", 2)
    assert (job_row(own, job).state, job_row(own, job).revision) == ("processing", 1)
    assert sent(own) == [f"images.waiting.{job}.2.2"]
    assert not archives.finish(own, archiving, 1)
