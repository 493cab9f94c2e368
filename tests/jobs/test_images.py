"""The attempts at an image: who has the lease has the image, and nobody else's work counts."""

from dataclasses import replace

import pytest
from countermark.jobs import images, opening
from countermark.jobs.keys import result_key
from countermark.jobs.states import ImageState
from countermark.servers.objects import Object
from countermark.services import Services

from tests.jobs.made import (
    change,
    dropped,
    folder_job,
    image_row,
    job_row,
    ledger,
    marked,
    opened,
    result_of,
    rows,
    sent,
    taken,
    uploaded,
    value,
)


def seconds_left(own: Services, job_id: str) -> float:
    """Of the lease of a job's first image."""
    sql = "SELECT extract(epoch FROM lease_until - now()) FROM images WHERE job_id = :job AND number = 1"
    return float(value(own, sql, job=job_id))


def test_what_is_taken_is_all_that_is_known_of_the_image(own: Services) -> None:
    job = uploaded(own, "a.jpg", "b.png")
    image = taken(own, job.id, 2)
    row = image_row(own, job.id, 2)
    assert (image.job_id, image.number, image.revision, image.name) == (job.id, 2, 1, "b.png")
    assert (image.bucket, image.key, image.etag) == (row.bucket, row.key, row.etag)
    assert (image.source, image.folder, image.view_prefix, image.options_problem) == ("upload", None, None, None)
    assert image.options_hash == job_row(own, job.id).options_hash
    assert row.lease == image.lease


def test_the_copy_of_a_dropped_image_has_its_place(own: Services) -> None:
    dropped(own, "wedding/a.png")
    dropped(own, "b.png")
    image = taken(own, folder_job(own, "wedding").id)
    assert (image.source, image.folder, image.view_prefix) == ("drop", "wedding", "drop/wedding/")
    assert taken(own, folder_job(own, "").id).view_prefix == "drop/"


def test_the_object_is_written_down_before_it_is_made(own: Services) -> None:
    job = uploaded(own, "a.png")
    image = taken(own, job.id)
    assert image.result_key == result_key(job.id, 1, 1, image.lease)
    assert ("results", image.result_key) in ledger(own, job.id)


def test_every_attempt_has_a_lease_and_a_key_of_its_own(own: Services) -> None:
    job = uploaded(own, "a.png")
    first = taken(own, job.id)
    images.release(own, job.id, 1, first.lease, counted=False)
    second = taken(own, job.id)
    assert first.lease != second.lease
    assert first.result_key != second.result_key
    assert {("results", first.result_key), ("results", second.result_key)} <= ledger(own, job.id)


def test_an_image_that_somebody_has_is_left_to_him(own: Services) -> None:
    job = uploaded(own, "a.png")
    image = taken(own, job.id)
    assert images.take(own, job.id, 1, 1) is None
    assert image_row(own, job.id).lease == image.lease


def test_a_message_of_another_revision_takes_nothing(own: Services) -> None:
    job = uploaded(own, "a.png")
    assert images.take(own, job.id, 1, 0) is None
    assert images.take(own, job.id, 1, 2) is None
    assert images.take(own, job.id, 2, 1) is None
    assert images.take(own, "nothing", 1, 1) is None
    assert image_row(own, job.id).lease is None


def test_what_has_ended_is_not_taken_again(own: Services) -> None:
    job = uploaded(own, "a.png", "b.png")
    marked(own, job.id)
    assert images.take(own, job.id, 1, 1) is None


@pytest.mark.parametrize("state", ["archiving", "ready", "failed", "expired"])
def test_nothing_is_taken_of_a_job_that_has_ended(own: Services, state: str) -> None:
    job = uploaded(own, "a.png")
    change(own, "UPDATE jobs SET state = :state", state=state)
    assert images.take(own, job.id, 1, 1) is None


def test_a_lease_lasts_as_long_as_is_set_and_can_be_renewed(own: Services) -> None:
    job = uploaded(own, "a.png")
    image = taken(own, job.id)
    assert seconds_left(own, job.id) == pytest.approx(own.settings.lease_seconds, abs=2)
    change(own, "UPDATE images SET lease_until = now() - interval '1 s'")
    images.renew(own, replace(image, lease="another"))
    assert seconds_left(own, job.id) < 0
    images.renew(own, image)
    assert seconds_left(own, job.id) == pytest.approx(own.settings.lease_seconds, abs=2)


def test_an_end_is_in_the_row(own: Services) -> None:
    job = uploaded(own, "a.gif", "b.gif")
    change(own, "UPDATE images SET failures = 1")
    image = taken(own, job.id)
    result = result_of(own, image, "a.png")
    assert images.finish(own, image, 123, result) == "a.png"
    row = image_row(own, job.id)
    assert (row.state, row.lease, row.code, row.reason, row.bytes) == ("done", None, None, None, 123)
    assert (row.result_key, row.result_bytes, row.result_name) == (image.result_key, result.bytes, "a.png")
    assert (row.format, row.width, row.height) == ("png", 16, 16)
    more = rows(own, "SELECT lease_until, in_line, failures FROM images WHERE number = 1")
    assert more == [[None, False, 0]]


def test_the_end_of_the_last_one_completes_the_job(own: Services) -> None:
    job = uploaded(own, "a.png", "b.png")
    marked(own, job.id, 1)
    assert (job_row(own, job.id).state, sent(own, "jobs.")) == ("processing", [])
    marked(own, job.id, 2)
    assert (job_row(own, job.id).state, sent(own, "jobs.")) == ("archiving", [f"jobs.complete.{job.id}.0"])


def test_whoever_lost_his_lease_has_worked_in_vain(own: Services) -> None:
    job = uploaded(own, "a.png", "b.png")
    late = taken(own, job.id)
    images.release(own, job.id, 1, late.lease, counted=True)
    image = taken(own, job.id)
    assert images.finish(own, late, 1, result_of(own, late)) is None
    assert (image_row(own, job.id).state, image_row(own, job.id).lease) == ("waiting", image.lease)
    assert images.finish(own, image, 1, result_of(own, image)) == "a.png"
    assert images.finish(own, late, 1, result_of(own, late)) is None
    assert image_row(own, job.id).result_key == image.result_key


def test_whoever_has_marked_an_older_revision_has_worked_in_vain(own: Services) -> None:
    job = uploaded(own, "a.png", "b.png")
    late = taken(own, job.id)
    change(own, "UPDATE images SET revision = 2 WHERE number = 1")
    assert images.finish(own, late, 1, result_of(own, late)) is None
    images.fail(own, late, "bad_image", "It is none.")
    assert image_row(own, job.id).state == "waiting"


def test_an_end_that_is_asked_twice_is_still_the_holders(own: Services) -> None:
    """Else he would delete what is current by now."""
    job = uploaded(own, "a.png", "b.png")
    image = taken(own, job.id)
    result = result_of(own, image)
    assert images.finish(own, image, 1, result) == "a.png"
    assert images.finish(own, image, 1, result) == "a.png"


@pytest.mark.parametrize("state", ["expired", "archiving"])
def test_nothing_ends_in_a_job_that_has_ended(own: Services, state: str) -> None:
    job = uploaded(own, "a.png", "b.png")
    image = taken(own, job.id)
    change(own, "UPDATE jobs SET state = :state", state=state)
    assert images.finish(own, image, 1, result_of(own, image)) is None
    images.fail(own, image, "bad_image", "It is none.")
    images.replace(own, image, Object(key="a.png", etag="x", bytes=1, time=8))
    row = image_row(own, job.id)
    assert (row.state, row.code, row.revision) == ("waiting", None, 1)


def test_results_of_one_name_are_two_files(own: Services) -> None:
    job = uploaded(own, "a.heic", "a.jpg", "b.heic")
    assert [image_row(own, job.id, number).result_name for number in (1, 2)] == ["a.heic", "a.jpg"]
    marked(own, job.id, 1, name="a.jpg")
    assert image_row(own, job.id, 1).result_name == "a (2).jpg"
    marked(own, job.id, 2, name="A.JPG")
    assert image_row(own, job.id, 2).result_name in {"a.jpg", "A.JPG"}


def test_the_visible_copy_is_written_down_with_the_end(own: Services) -> None:
    dropped(own, "wedding/a.heic")
    dropped(own, "wedding/a.jpg")
    job = folder_job(own, "wedding")
    marked(own, job.id, 1, name="a.jpg")
    assert ("results", "drop/wedding/a (2).jpg") in ledger(own, job.id)


def test_an_upload_has_no_visible_copy(own: Services) -> None:
    job = uploaded(own, "a.png", "b.png")
    image = marked(own, job.id, 1)
    assert {key for bucket, key in ledger(own, job.id) if bucket == "results"} == {image.result_key}


def test_an_image_fails_for_a_reason(own: Services) -> None:
    job = uploaded(own, "a.png", "b.png")
    image = taken(own, job.id)
    images.fail(own, image, "bad_image", "It is none.")
    row = image_row(own, job.id)
    assert (row.state, row.code, row.reason, row.lease) == ("failed", "bad_image", "It is none.", None)
    assert not value(own, "SELECT in_line FROM images WHERE number = 1")
    images.fail(own, taken(own, job.id, 2), "bad_image", "Nor is this.")
    assert job_row(own, job.id).state == "archiving"
    assert sent(own, "jobs.") == [f"jobs.complete.{job.id}.0"]


def test_a_failure_of_somebody_without_the_lease_does_not_count(own: Services) -> None:
    job = uploaded(own, "a.png")
    late = taken(own, job.id)
    images.release(own, job.id, 1, late.lease, counted=False)
    images.fail(own, late, "bad_image", "It is none.")
    assert image_row(own, job.id).state == "waiting"


def test_an_image_that_is_removed_gives_its_name_back(own: Services) -> None:
    dropped(own, "wedding/a.png")
    job = folder_job(own, "wedding")
    images.fail(own, taken(own, job.id), "removed", "It was taken out.", state=ImageState.REMOVED)
    assert image_row(own, job.id).state == "removed"
    dropped(own, "wedding/A.png")
    assert image_row(own, job.id, 2).result_name == "A.png"


def test_a_replaced_original_is_the_next_revision(own: Services) -> None:
    job = uploaded(own, "a.png")
    late = taken(own, job.id)
    change(own, "UPDATE images SET failures = 2, code = 'x', reason = 'x'")
    own.publisher.messages.clear()  # type: ignore[attr-defined]
    images.replace(own, late, Object(key="a.png", etag="new", bytes=7, time=9))
    row = image_row(own, job.id)
    assert (row.state, row.revision, row.lease, row.etag, row.bytes) == ("waiting", 2, None, "new", 7)
    assert (row.code, row.reason, row.result_key) == (None, None, None)
    assert rows(own, "SELECT in_line, failures FROM images") == [[True, 0]]
    assert sent(own) == [f"images.waiting.{job.id}.1.2"]
    assert images.finish(own, late, 1, result_of(own, late)) is None
    images.replace(own, late, Object(key="a.png", etag="older", bytes=1, time=8))
    assert image_row(own, job.id).revision == 2


def test_a_failed_attempt_counts_and_the_last_one_gives_the_image_up(own: Services) -> None:
    job = uploaded(own, "a.png")
    outcomes = []
    for _ in range(own.settings.image_attempts):
        image = taken(own, job.id)
        outcomes.append(images.release(own, job.id, 1, image.lease, counted=True))
    assert outcomes == ["released", "released", "given_up"]
    row = image_row(own, job.id)
    assert (row.state, row.code, row.lease) == ("failed", "given_up", None)
    assert row.reason
    assert job_row(own, job.id).state == "archiving"
    assert sent(own, "jobs.") == [f"jobs.complete.{job.id}.0"]


def test_an_attempt_in_an_outage_does_not_count(own: Services) -> None:
    job = uploaded(own, "a.png")
    for _ in range(own.settings.image_attempts + 1):
        image = taken(own, job.id)
        assert images.release(own, job.id, 1, image.lease, counted=False) == "released"
    assert value(own, "SELECT failures FROM images") == 0
    assert image_row(own, job.id).state == "waiting"


def test_who_has_no_lease_gives_none_back(own: Services) -> None:
    job = uploaded(own, "a.png")
    image = taken(own, job.id)
    assert images.release(own, job.id, 1, "another", counted=True) == "stale"
    assert image_row(own, job.id).lease == image.lease
    assert value(own, "SELECT failures FROM images") == 0


@pytest.mark.parametrize("resend", [False, True])
def test_a_message_is_sent_again_when_nobody_holds_it(own: Services, resend: bool) -> None:
    job = uploaded(own, "a.png")
    image = taken(own, job.id)
    own.publisher.messages.clear()  # type: ignore[attr-defined]
    images.release(own, job.id, 1, image.lease, counted=False, resend=resend)
    messages = own.publisher.messages  # type: ignore[attr-defined]
    # Somebody may still wait for the lost one's answer and keep its message, so it is another subject.
    assert sent(own) == ([f"images.waiting.{job.id}.1.1.0"] if resend else [])
    assert list(messages.values()) == ([[{"version": 1, "job": job.id, "number": 1, "revision": 1}]] if resend else [])


def test_an_image_whose_bytes_are_not_there_is_not_taken(own: Services) -> None:
    job = opened(own, "a.png")
    assert images.take(own, job.id, 1, 1) is None
    assert opening.fail_expected(own, job.id, [1], "not_uploaded", "It was not uploaded.") == 1
