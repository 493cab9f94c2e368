"""Every state has a deadline from the last progress; time in the queue, and time in an outage, do not count."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from countermark.http.problems import Unavailable
from countermark.jobs import archives, folders, images, opening, sweeping
from countermark.jobs.keys import direct_key
from countermark.servers.objects import UPLOADS, Object
from countermark.services import Services
from countermark.testing import MemoryObjects

from tests.jobs.acts import dropped, finish, gap, image_row, job_row, lapse, ordered, ready, receiving, take, waiting


def test_time_in_the_queue_does_not_count(own: Services) -> None:
    job = waiting(own, ["a.png"] * 3)
    own.database.rows("UPDATE jobs SET progress_at = now() - interval '9 days' RETURNING 1")
    own.database.rows("UPDATE images SET updated_at = now() - interval '9 days' RETURNING 1")
    sweeping.settle_jobs(own)
    assert {image_row(own, job.id, "state", number)[0] for number in (1, 2, 3)} == {"waiting"}


def test_what_is_not_uploaded_in_time_fails_and_the_rest_is_processed(own: Services) -> None:
    job = receiving(own, ["a.png", "b.png"])
    opening.arrive(own, job.id, 1, etag="etag", size=1)
    sweeping.settle_jobs(own)
    assert job_row(own, job.id, "state") == ["receiving"]
    own.database.rows("UPDATE jobs SET progress_at = now() - interval '1 hour 1 s' RETURNING 1")
    sweeping.settle_jobs(own)
    assert image_row(own, job.id, "state, code", 2) == ["failed", "not_uploaded"]
    finish(own, take(own, job.id))
    assert job_row(own, job.id, "state") == ["archiving"]


def test_what_nobody_has_announced_was_uploaded_all_the_same(own: Services) -> None:
    """The deadline asks the store before it gives an image up, and waits for it when it is away."""
    job = ordered(own, ["a.png", "b.png"])
    own.objects.write(UPLOADS, direct_key(job.id, 1), b"original", "image/png")
    own.database.rows("UPDATE jobs SET progress_at = now() - interval '1 hour 1 s' RETURNING 1")
    sweeping.settle_jobs(replace(own, objects=Away()))
    assert [image_row(own, job.id, "state", number)[0] for number in (1, 2)] == ["expected"] * 2
    sweeping.settle_jobs(own)
    assert [image_row(own, job.id, "state, code", number) for number in (1, 2)] == [
        ["waiting", None],
        ["expected", None],  # a byte has come
    ]
    own.database.rows("UPDATE jobs SET progress_at = now() - interval '1 hour 1 s' RETURNING 1")
    sweeping.settle_jobs(own)
    assert image_row(own, job.id, "state, code", 2) == ["failed", "not_uploaded"]


class Away(MemoryObjects):
    """A store that does not answer."""

    def list(self, bucket: str, prefix: str = "") -> Iterator[Object]:  # noqa: ARG002
        raise Unavailable


def test_each_byte_that_comes_is_progress(own: Services) -> None:
    job = receiving(own, ["a.png", "b.png"])
    own.database.rows("UPDATE jobs SET progress_at = now() - interval '2 hours' RETURNING 1")
    opening.arrive(own, job.id, 1, etag="etag", size=1)
    sweeping.settle_jobs(own)
    assert image_row(own, job.id, "state", 2) == ["expected"]


def test_an_upload_without_an_image_is_deleted(own: Services) -> None:
    job = receiving(own, [])
    own.database.rows("UPDATE jobs SET progress_at = now() - interval '2 hours' RETURNING 1")
    sweeping.settle_jobs(own)
    assert job_row(own, job.id, "state") == ["expired"]


def test_an_outage_is_no_time_to_upload(own: Services) -> None:
    job = receiving(own, ["a.png"])
    own.database.rows("UPDATE jobs SET progress_at = now() - interval '5 hours' RETURNING 1")
    gap(own, "4 hours 30 minutes")
    sweeping.settle_jobs(own)
    assert image_row(own, job.id, "state") == ["expected"]


def test_a_lapsed_lease_is_a_failed_attempt_and_the_last_one_gives_up(own: Services) -> None:
    job = waiting(own, ["a.png"])
    for failures in range(1, own.settings.image_attempts):
        take(own, job.id)
        lapse(own)
        assert image_row(own, job.id, "state, failures, lease, in_line") == ["waiting", failures, None, True]
    take(own, job.id)
    lapse(own)
    assert image_row(own, job.id, "state, code, in_line") == ["failed", "given_up", False]
    assert job_row(own, job.id, "state") == ["archiving"]


def test_a_lease_that_is_renewed_does_not_lapse(own: Services) -> None:
    job = waiting(own, ["a.png"])
    taken = take(own, job.id)
    own.database.rows("UPDATE images SET lease_until = now() - interval '1 s' RETURNING 1")
    images.renew(own, taken)
    sweeping.take_back_leases(own)
    assert image_row(own, job.id, "lease") == [taken.lease]


def test_what_is_not_our_fault_is_not_counted(own: Services) -> None:
    job = waiting(own, ["a.png"])
    for _ in range(own.settings.image_attempts + 1):
        images.release(own, job.id, 1, take(own, job.id).lease, counted=False)
    assert image_row(own, job.id, "state, failures") == ["waiting", 0]


def test_an_outage_fails_no_innocent_image(own: Services) -> None:
    """Whoever worked then may be dead; his lease lapses after the outage, and is not counted."""
    job = waiting(own, ["a.png"])
    for _ in range(own.settings.image_attempts + 1):
        taken = take(own, job.id)
        gap(own, "1 hour")
        assert image_row(own, job.id, "lease") == [taken.lease]
        lapse(own)
        assert image_row(own, job.id, "state, failures, lease") == ["waiting", 0, None]


def test_a_lease_of_before_the_clock_was_set_back_lapses_in_time(own: Services) -> None:
    job = waiting(own, ["a.png"])
    take(own, job.id)
    gap(own, "-1 hour")
    seconds = own.database.call("SELECT extract(epoch FROM lease_until - now()) FROM images")
    assert own.settings.lease_seconds - 5 < seconds <= own.settings.lease_seconds


def test_an_attempt_after_an_outage_counts_again(own: Services) -> None:
    job = waiting(own, ["a.png"])
    take(own, job.id)
    gap(own, "1 hour")
    lapse(own)
    take(own, job.id)
    lapse(own)
    assert image_row(own, job.id, "failures") == [1]


def test_a_new_revision_has_all_its_attempts(own: Services) -> None:
    folders.take(own, dropped("f/a.png", "one"))
    (job,) = own.database.rows("SELECT id FROM jobs")
    take(own, job[0])
    lapse(own)
    folders.take(own, dropped("f/a.png", "two"))
    assert image_row(own, job[0], "revision, failures") == [2, 0]


def test_a_zip_is_given_up_too_and_the_images_stay(own: Services) -> None:
    job = ready(own)
    for _ in range(own.settings.archive_attempts):
        assert archives.take(own, job.id, 0)
        lapse(own)
    state, reason = job_row(own, job.id, "state, reason")
    assert (state, "several attempts" in reason) == ("failed", True)
    assert image_row(own, job.id, "state") == ["done"]


def test_an_outage_counts_no_attempt_at_a_zip(own: Services) -> None:
    job = ready(own)
    for _ in range(own.settings.archive_attempts + 1):
        assert archives.take(own, job.id, 0)
        gap(own, "1 hour")
        lapse(own)
    assert job_row(own, job.id, "state, failures") == ["archiving", 0]


def test_a_folder_is_quiet_for_an_eighth_of_its_age_and_ten_minutes_at_most(own: Services) -> None:
    folders.take(own, dropped("f/1.png"))
    for number, (age, quiet) in enumerate([("0 s", 10), ("160 s", 20), ("1 hour", 450), ("3 hours", 600)], 2):
        own.database.rows("UPDATE jobs SET created_at = now() - CAST(:age AS interval) RETURNING 1", age=age)
        own.database.rows("SELECT stir_v1(id, 10) FROM jobs")
        seconds = own.database.call("SELECT extract(epoch FROM quiet_at - now()) FROM jobs")
        assert abs(seconds - quiet) < 2, (number, age)


def test_a_folder_takes_files_for_a_day_and_later_ones_are_the_next_jobs(own: Services) -> None:
    folders.take(own, dropped("f/1.png"))
    own.database.rows("UPDATE jobs SET created_at = now() - interval '23 hours 59 minutes' RETURNING 1")
    assert folders.take(own, dropped("f/2.png")) == "adopted"
    own.database.rows("UPDATE jobs SET created_at = now() - interval '24 hours 1 s' RETURNING 1")
    with pytest.raises(folders.NotYet):
        folders.take(own, dropped("f/3.png"))
    own.database.rows("SELECT expire_v1(id, true, 2) FROM jobs")
    with pytest.raises(folders.NotYet):
        folders.take(own, dropped("f/3.png"))
    own.database.rows("SELECT count(*) FROM jobs, LATERAL forget_v1(id)")
    assert folders.take(own, dropped("f/3.png")) == "adopted"
    assert own.database.rows("SELECT state FROM jobs ORDER BY state") == [["gone"], ["receiving"]]
