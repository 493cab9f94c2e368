"""Jobs begin: they are opened, get their images, and are sealed."""

import json

from countermark.jobs import endings, opening
from countermark.jobs.opening import Arrival, NewImage
from countermark.services import Services

from tests.jobs.made import ALICE, arrived, change, image_row, job_row, ledger, opened, rows, sent, uploaded, value


def add(own: Services, job_id: str, number: int) -> bool:
    """Add an image to a job."""
    image = NewImage(number=number, name="new.png", key=f"posted/{job_id}/{number}", bytes=3)
    return opening.add_images(own, job_id, [image])


def test_a_job_receives_images(own: Services) -> None:
    job = opened(own, "b/a.png", options={"format": "png"})
    row = job_row(own, job.id)
    assert (row.id, row.token, row.source, row.owner, row.state) == (job.id, job.token, "upload", ALICE, "receiving")
    assert (row.revision, row.folder, row.expires_at) == (0, None, None)
    assert json.loads(value(own, "SELECT options::text FROM jobs")) == {"format": "png"}
    assert add(own, job.id, 7)
    image = image_row(own, job.id, 7)
    assert (image.name, image.bucket, image.key) == ("new.png", "uploads", f"posted/{job.id}/7")
    assert (image.bytes, image.state, image.revision, image.result_name) == (3, "expected", 1, "new.png")
    assert value(own, "SELECT owner FROM images WHERE number = 7") == ALICE


def test_what_opens_a_job_is_not_its_id(own: Services) -> None:
    first, second = opened(own), opened(own)
    assert len({first.id, first.token, second.id, second.token}) == 4
    assert (len(first.id), len(first.token)) == (24, 32)


def test_an_original_is_written_down_before_it_is_stored(own: Services) -> None:
    job = opened(own, "a.png", "b.png")
    assert ledger(own, job.id) == {("uploads", f"posted/{job.id}/1"), ("uploads", f"posted/{job.id}/2")}


def test_images_of_one_name_are_two_files(own: Services) -> None:
    job = opened(own, "a.png", "A.png")
    assert [image_row(own, job.id, number).result_name for number in (1, 2)] == ["a.png", "A (2).png"]
    assert [image_row(own, job.id, number).name for number in (1, 2)] == ["a.png", "A.png"]


def test_a_job_that_is_sealed_or_deleted_takes_no_more(own: Services) -> None:
    job = uploaded(own, "a.png")
    assert not add(own, job.id, 2)
    change(own, "UPDATE jobs SET state = 'expired'")
    assert not add(own, job.id, 2)
    assert not add(own, "nothing", 1)
    assert rows(own, "SELECT number FROM images") == [[1]]
    assert len(ledger(own, job.id)) == 1


def test_an_original_arrives_once(own: Services) -> None:
    job = opened(own, "a.png")
    assert arrived(own, job, 1, b"12345") == "arrived"
    image = image_row(own, job.id)
    assert (image.state, image.bytes, image.etag) == ("waiting", 5, own.objects.stat("uploads", image.key).etag)
    assert arrived(own, job, 1, b"123") == "known"
    assert image_row(own, job.id).bytes == 5
    assert sent(own) == [f"images.waiting.{job.id}.1.1"]


def test_an_original_may_arrive_after_the_seal(own: Services) -> None:
    job = opened(own, "a.png")
    opening.seal(own, job.id)
    assert arrived(own, job, 1) == "arrived"


def test_an_original_of_a_job_that_has_ended_is_gone(own: Services) -> None:
    job = opened(own, "a.png")
    change(own, "UPDATE jobs SET state = 'expired'")
    assert arrived(own, job, 1) == "gone"
    assert image_row(own, job.id).state == "expected"
    assert opening.arrive(own, "nothing", 1, etag="x", size=1) == "gone"


def test_each_arrival_moves_the_deadline(own: Services) -> None:
    job = opened(own, "a.png")
    change(own, "UPDATE jobs SET progress_at = now() - interval '1 hour'")
    arrived(own, job, 1)
    assert value(own, "SELECT progress_at > now() - interval '1 minute' FROM jobs")
    change(own, "UPDATE jobs SET progress_at = now() - interval '1 hour'")
    add(own, job.id, 2)
    assert value(own, "SELECT progress_at > now() - interval '1 minute' FROM jobs")


def test_what_will_not_come_fails_and_nothing_else(own: Services) -> None:
    job = opened(own, "a.png", "b.png", "c.png")
    arrived(own, job, 1)
    assert opening.fail_expected(own, job.id, [1, 2], "not_uploaded", "It was not uploaded.") == 1
    states = [image_row(own, job.id, number).state for number in (1, 2, 3)]
    assert states == ["waiting", "failed", "expected"]
    image = image_row(own, job.id, 2)
    assert (image.code, image.reason) == ("not_uploaded", "It was not uploaded.")


def test_an_original_that_was_given_up_is_late(own: Services) -> None:
    job = opened(own, "a.png", "b.png")
    opening.fail_expected(own, job.id, [1], "not_uploaded", "It was not uploaded.")
    assert arrived(own, job, 1) == "late"
    assert image_row(own, job.id).state == "failed"


def test_nothing_fails_in_a_job_that_has_ended(own: Services) -> None:
    job = opened(own, "a.png")
    change(own, "UPDATE jobs SET state = 'expired'")
    assert opening.fail_expected(own, job.id, [1], "not_uploaded", "It was not uploaded.") == 0
    assert image_row(own, job.id).state == "expected"


def test_the_last_failure_completes_a_sealed_job(own: Services) -> None:
    job = opened(own, "a.png")
    opening.seal(own, job.id)
    assert job_row(own, job.id).state == "processing"
    opening.fail_expected(own, job.id, [1], "not_uploaded", "It was not uploaded.")
    assert job_row(own, job.id).state == "archiving"
    assert sent(own) == [f"jobs.complete.{job.id}.0"]


def test_a_seal_completes_a_job_whose_images_have_ended(own: Services) -> None:
    job = opened(own, "a.png")
    opening.fail_expected(own, job.id, [1], "not_uploaded", "It was not uploaded.")
    assert job_row(own, job.id).state == "receiving"
    opening.seal(own, job.id)
    assert job_row(own, job.id).state == "archiving"
    assert sent(own) == [f"jobs.complete.{job.id}.0"]
    opening.seal(own, job.id)
    assert job_row(own, job.id).state == "archiving"


def test_a_job_is_opened_with_its_images_and_sealed_at_once(own: Services) -> None:
    job = opening.new_job()
    images = [NewImage(number=n, name="a.png", key=f"direct/{job.id}/{n}", bytes=9) for n in (1, 2)]
    for _ in range(2):  # an answer that was lost is asked for again
        opening.open_job(own, job, ALICE, {}, images, sealed=True)
    assert job_row(own, job.id).state == "processing"
    assert [image_row(own, job.id, n).result_name for n in (1, 2)] == ["a.png", "a (2).png"]
    assert ledger(own, job.id) == {("uploads", f"direct/{job.id}/1"), ("uploads", f"direct/{job.id}/2")}
    assert not add(own, job.id, 3)


def test_images_that_were_added_are_added(own: Services) -> None:
    """An answer that was lost is asked for again, be it after the seal."""
    job = opened(own, "new.png")
    assert add(own, job.id, 2)
    assert add(own, job.id, 2)
    opening.seal(own, job.id)
    assert add(own, job.id, 2)
    assert not add(own, job.id, 3)
    assert image_row(own, job.id, 2).result_name == "new (2).png"


def test_each_of_many_arrivals_has_its_outcome(own: Services) -> None:
    job = opened(own, "a.png", "b.png", "c.png", "d.png")
    arrived(own, job, 1)
    opening.fail_expected(own, job.id, [2], "not_uploaded", "It was not uploaded.")
    change(own, "UPDATE jobs SET progress_at = now() - interval '9 s'")
    came = [Arrival(number=n, etag=f"etag {n}", size=n) for n in (1, 2, 3)]
    assert opening.arrive_all(own, job.id, came[:2]) == {1: "known", 2: "late"}
    assert value(own, "SELECT progress_at < now() - interval '8 s' FROM jobs"), "no byte has come"
    assert opening.arrive_all(own, job.id, came) == {1: "known", 2: "late", 3: "arrived"}
    assert value(own, "SELECT progress_at > now() - interval '8 s' FROM jobs")
    third = image_row(own, job.id, 3)
    assert (third.state, third.etag, third.bytes) == ("waiting", "etag 3", 3)
    assert sent(own) == [f"images.waiting.{job.id}.{n}.1" for n in (1, 3)]
    opening.arrive_all(own, job.id, [Arrival(number=4, etag="etag 4", size=4)], seal=True)
    assert job_row(own, job.id).state == "processing"
    assert image_row(own, job.id, 4).state == "waiting"
    endings.expire(own, job.id, at_once=True)
    assert opening.arrive_all(own, job.id, came) == dict.fromkeys((1, 2, 3), "gone")
    assert opening.arrive_all(own, job.id, [], seal=True) == {}
