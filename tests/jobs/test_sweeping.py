"""What nobody has noticed the sweep does: lapsed leases, deadlines, quiet folders, lost messages, the hour."""

import pytest
from countermark.http.problems import Unavailable
from countermark.jobs import archives, endings, sweeping
from countermark.services import Services

from tests.jobs.made import (
    arrived,
    change,
    dropped,
    folder_job,
    image_row,
    job_row,
    marked,
    opened,
    rows,
    sent,
    taken,
    uploaded,
    value,
)

LONG_AGO = "now() - interval '2 hours'"


def forget_messages(own: Services) -> None:
    """The stream has lost everything."""
    own.publisher.messages.clear()  # type: ignore[attr-defined]


def archiving(own: Services) -> str:
    """A job whose ZIP somebody makes; its id."""
    job = uploaded(own, "a.png")
    marked(own, job.id)
    assert archives.take(own, job.id, 0) is not None
    return job.id


# ---- leases -------------------------------------------------------------------------------------------------------


def test_a_lapsed_lease_is_taken_back_counted_and_the_image_sent_again(own: Services) -> None:
    job = uploaded(own, "a.png", "b.png")
    taken(own, job.id)
    kept = taken(own, job.id, 2)
    forget_messages(own)
    change(own, "UPDATE images SET lease_until = now() - interval '1 s' WHERE number = 1")
    assert sweeping.take_back_leases(own) == 1
    assert image_row(own, job.id, 1).lease is None
    assert image_row(own, job.id, 2).lease == kept.lease
    assert rows(own, "SELECT failures FROM images ORDER BY number") == [[1], [0]]
    assert sent(own) == [f"images.waiting.{job.id}.1.1.1"]


def test_a_lapsed_lease_of_a_zip_is_taken_back_counted_and_sent_again(own: Services) -> None:
    job = archiving(own)
    forget_messages(own)
    assert sweeping.take_back_leases(own) == 0
    change(own, "UPDATE jobs SET lease_until = now() - interval '1 s'")
    assert sweeping.take_back_leases(own) == 1
    assert rows(own, "SELECT lease, failures FROM jobs") == [[None, 1]]
    assert sent(own) == [f"jobs.complete.{job}.0.1"]


def test_the_last_lapsed_lease_gives_the_image_up(own: Services) -> None:
    job = uploaded(own, "a.png")
    for _ in range(own.settings.image_attempts):
        taken(own, job.id)
        change(own, "UPDATE images SET lease_until = now() - interval '1 s'")
        sweeping.take_back_leases(own)
    assert image_row(own, job.id).code == "given_up"


# ---- gaps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [3600, 16])
def test_in_a_gap_the_clocks_stand_still(own: Services, gap: int) -> None:
    job = uploaded(own, "a.png")
    taken(own, job.id)
    other = archiving(own)
    change(own, f"UPDATE sweeps SET swept_at = now() - interval '{gap} s'")
    change(own, f"UPDATE jobs SET progress_at = {LONG_AGO}, quiet_at = {LONG_AGO} WHERE id = :id", id=job.id)
    change(own, "UPDATE images SET lease_until = now() - interval '1 s' WHERE lease IS NOT NULL")
    change(own, "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE lease IS NOT NULL")
    sweeping.begin(own)
    assert sweeping.take_back_leases(own) == 0
    assert value(own, "SELECT failures FROM images WHERE job_id = :id", id=job.id) == 0
    for column in ("progress_at", "quiet_at"):
        past = value(own, f"SELECT extract(epoch FROM now() - {column}) FROM jobs WHERE id = :id", id=job.id)
        assert float(past) == pytest.approx(7200 - gap, abs=3)
    assert lease_left(own, "images", "job_id", job.id) == pytest.approx(own.settings.lease_seconds, abs=2)
    assert lease_left(own, "jobs", "id", other) == pytest.approx(own.settings.lease_seconds, abs=2)
    assert value(own, "SELECT now() - swept_at < interval '5 s' FROM sweeps")


def lease_left(own: Services, table: str, column: str, job_id: str) -> float:
    """Seconds of a lease."""
    return float(
        value(own, f"SELECT extract(epoch FROM lease_until - now()) FROM {table} WHERE {column} = :j", j=job_id)
    )


def test_what_was_written_before_the_clock_was_set_back_is_brought_back(own: Services) -> None:
    job = uploaded(own, "a.png")
    taken(own, job.id)
    other = archiving(own)
    hour = "+ interval '1 hour'"
    change(own, f"UPDATE sweeps SET swept_at = now() {hour}, compared_at = now() {hour}")
    change(own, f"UPDATE jobs SET progress_at = now() {hour}, sent_at = now() {hour}, lease_until = lease_until {hour}")
    change(own, f"UPDATE images SET sent_at = now() {hour}, lease_until = lease_until {hour}")
    sweeping.begin(own)
    assert value(own, "SELECT progress_at <= now() FROM jobs WHERE id = :id", id=job.id)
    assert value(own, "SELECT bool_and(sent_at <= now()) FROM jobs")
    assert value(own, "SELECT bool_and(sent_at <= now()) FROM images WHERE in_line")
    assert value(own, "SELECT swept_at <= now() AND compared_at <= now() FROM sweeps")
    assert lease_left(own, "images", "job_id", job.id) <= own.settings.lease_seconds
    assert lease_left(own, "jobs", "id", other) <= own.settings.lease_seconds


@pytest.mark.parametrize("gap", ["0 s", "14 s"])
def test_between_two_sweeps_in_time_the_clocks_run(own: Services, gap: str) -> None:
    job = uploaded(own, "a.png")
    taken(own, job.id)
    change(own, f"UPDATE sweeps SET swept_at = now() - interval '{gap}'")
    change(own, "UPDATE images SET lease_until = now() - interval '1 s'")
    before = value(own, "SELECT progress_at FROM jobs")
    sweeping.begin(own)
    assert value(own, "SELECT progress_at FROM jobs") == before
    assert sweeping.take_back_leases(own) == 1
    assert value(own, "SELECT now() - swept_at < interval '5 s' FROM sweeps")


def test_a_gap_shortens_no_hour(own: Services) -> None:
    job = archiving(own)
    change(own, "UPDATE jobs SET state = 'ready', expires_at = now() + interval '30 minutes'")
    change(own, "UPDATE sweeps SET swept_at = now() - interval '20 minutes'")
    before = job_row(own, job).expires_at
    sweeping.begin(own)
    assert job_row(own, job).expires_at == before


def test_a_clock_that_was_set_back_lengthens_none(own: Services) -> None:
    job = archiving(own)
    change(own, "UPDATE jobs SET state = 'ready', expires_at = now() + interval '90 minutes'")
    change(own, "UPDATE sweeps SET swept_at = now() + interval '1 hour'")
    sweeping.begin(own)
    left = value(own, "SELECT extract(epoch FROM expires_at - now()) FROM jobs WHERE id = :id", id=job)
    assert float(left) == pytest.approx(own.settings.job_lifetime, abs=5)


# ---- deadlines ----------------------------------------------------------------------------------------------------


def test_what_does_not_come_in_time_fails_and_the_rest_goes_on(own: Services) -> None:
    job = opened(own, "a.png", "b.png")
    arrived(own, job, 1)
    assert sweeping.settle_jobs(own) == 0
    change(own, f"UPDATE jobs SET progress_at = {LONG_AGO}")
    assert sweeping.settle_jobs(own) == 1
    assert [image_row(own, job.id, number).state for number in (1, 2)] == ["waiting", "failed"]
    assert image_row(own, job.id, 2).code == "not_uploaded"
    assert job_row(own, job.id).state == "processing"
    assert sweeping.settle_jobs(own) == 0


def test_waiting_in_line_has_no_deadline(own: Services) -> None:
    job = uploaded(own, *["a.png"] * 5)
    change(own, f"UPDATE jobs SET progress_at = {LONG_AGO}")
    change(own, "UPDATE images SET in_line = false WHERE number > 2")
    assert sweeping.settle_jobs(own) == 0
    sweeping._settle(own, job.id, is_late=True)
    assert rows(own, "SELECT DISTINCT state FROM images") == [["waiting"]]


def test_an_upload_without_an_image_is_deleted_in_time(own: Services) -> None:
    job = opened(own)
    assert sweeping.settle_jobs(own) == 0
    change(own, f"UPDATE jobs SET progress_at = {LONG_AGO}")
    assert sweeping.settle_jobs(own) == 1
    assert job_row(own, job.id).state == "expired"
    assert sent(own) == [f"jobs.expired.{job.id}"]


def test_a_quiet_folder_is_complete(own: Services) -> None:
    dropped(own, "wedding/a.png")
    job = folder_job(own, "wedding")
    marked(own, job.id)
    assert sweeping.settle_jobs(own) == 0
    assert job_row(own, job.id).state == "receiving"
    change(own, "UPDATE jobs SET quiet_at = now() - interval '1 s'")
    assert sweeping.settle_jobs(own) == 1
    assert job_row(own, job.id).state == "archiving"
    assert sent(own, "jobs.") == [f"jobs.complete.{job.id}.0"]


def test_an_end_that_nobody_has_settled_is_settled(own: Services) -> None:
    job = uploaded(own, "a.png")
    change(own, "UPDATE images SET state = 'failed', in_line = false")
    assert sweeping.settle_jobs(own) == 1
    assert job_row(own, job.id).state == "archiving"
    assert sent(own, "jobs.") == [f"jobs.complete.{job.id}.0"]


def test_a_line_that_nobody_has_filled_is_filled(own: Services) -> None:
    uploaded(own, *["a.png"] * 4)
    change(own, "UPDATE images SET in_line = false")
    assert sweeping.settle_jobs(own) == 1
    assert value(own, "SELECT count(*) FROM images WHERE in_line") == own.settings.line_share
    assert sweeping.settle_jobs(own) == 0


def test_a_fault_beside_one_job_holds_up_no_other(own: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = opened(own), opened(own)
    change(own, f"UPDATE jobs SET progress_at = {LONG_AGO}")
    settle, failed = sweeping._settle, []

    def fail_once(services: Services, job_id: str, *, is_late: bool) -> None:
        if not failed:
            failed.append(job_id)
            raise KeyError(job_id)
        settle(services, job_id, is_late=is_late)

    monkeypatch.setattr(sweeping, "_settle", fail_once)
    assert sweeping.settle_jobs(own) == 2
    assert {job_row(own, job.id).state for job in (first, second)} == {"receiving", "expired"}


def test_a_server_that_is_away_ends_the_sweep() -> None:
    def away(*_: object) -> None:
        raise Unavailable

    with pytest.raises(Unavailable):
        sweeping.alone(away)
    assert sweeping.alone(lambda number, *, other: number + other, 1, other=2) == 3


# ---- hours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["ready", "failed"])
def test_a_job_whose_hour_is_over_expires(own: Services, state: str) -> None:
    over, other = archiving(own), archiving(own)
    change(own, "UPDATE jobs SET state = :state, expires_at = now() + interval '1 hour'", state=state)
    change(own, "UPDATE jobs SET expires_at = now() - interval '1 s' WHERE id = :id", id=over)
    assert sweeping.expire_jobs(own) == 1
    assert [job_row(own, job).state for job in (over, other)] == ["expired", state]
    assert sent(own, "jobs.expired") == [f"jobs.expired.{over}"]


def test_what_is_gone_is_remembered_for_a_day(own: Services) -> None:
    job = uploaded(own, "a.png")
    other = uploaded(own, "a.png")
    endings.expire(own, job.id, at_once=True)
    endings.delete_objects(own, job.id)
    sweeping.purge(own)
    change(own, "UPDATE jobs SET expires_at = now() - interval '23 hours'")
    sweeping.purge(own)
    assert job_row(own, job.id).state == "gone"
    change(own, "UPDATE jobs SET expires_at = now() - interval '25 hours'")
    sweeping.purge(own)
    assert rows(own, "SELECT id FROM jobs") == [[other.id]]


# ---- messages -----------------------------------------------------------------------------------------------------


def test_an_image_whose_message_was_lost_is_sent_again(own: Services) -> None:
    job = uploaded(own, *["a.png"] * 3)
    taken(own, job.id, 1)
    forget_messages(own)
    assert sweeping.resend(own) == 0
    change(own, f"UPDATE images SET sent_at = {LONG_AGO}")
    assert sweeping.resend(own) == 1
    assert sent(own) == [f"images.waiting.{job.id}.2.1"], "who works on it needs none, nor who is not in line"
    assert sweeping.resend(own) == 0


def test_a_completion_whose_message_was_lost_is_sent_again(own: Services) -> None:
    job = uploaded(own, "a.png")
    marked(own, job.id)
    forget_messages(own)
    assert sweeping.resend(own) == 0
    change(own, f"UPDATE jobs SET sent_at = {LONG_AGO}")
    assert sweeping.resend(own) == 1
    assert sent(own) == [f"jobs.complete.{job.id}.0"]
    assert sweeping.resend(own) == 0


def test_a_zip_that_is_being_made_is_not_asked_for_again(own: Services) -> None:
    archiving(own)
    change(own, f"UPDATE jobs SET sent_at = {LONG_AGO}")
    forget_messages(own)
    assert sweeping.resend(own) == 0


def test_an_expiry_whose_message_was_lost_is_sent_again(own: Services) -> None:
    job = uploaded(own, "a.png")
    endings.expire(own, job.id, at_once=True)
    forget_messages(own)
    change(own, f"UPDATE jobs SET sent_at = {LONG_AGO}")
    assert sweeping.resend(own) == 1
    assert sent(own) == [f"jobs.expired.{job.id}"]
    endings.delete_objects(own, job.id)
    change(own, f"UPDATE jobs SET sent_at = {LONG_AGO}")
    assert sweeping.resend(own) == 0


def test_what_the_outbox_still_has_is_sent_as_well(own: Services) -> None:
    change(
        own,
        "INSERT INTO outbox (subject, data, created_at) VALUES ('jobs.expired.x', '{}', now() - interval '1 minute')"
        " RETURNING id",
    )
    assert sweeping.resend(own) == 1
    assert sent(own) == ["jobs.expired.x"]
