"""One owner has a bounded share of the line, however many jobs he makes; it is counted, and kept nowhere."""

from countermark.jobs import endings, folders, images, sweeping
from countermark.services import Services

from tests.jobs.acts import dropped, finish, in_line, lapse, take, waiting


def test_an_owner_has_his_share_over_all_his_jobs(own: Services) -> None:
    first = waiting(own, ["a.png", "b.png", "c.png"])
    second = waiting(own, ["a.png"])
    assert in_line(own) == [(first.id, 1), (first.id, 2)]
    finish(own, take(own, first.id, 1))
    assert set(in_line(own)) == {(first.id, 2), (second.id, 1)}  # its number is lower than that of the third


def test_another_owner_waits_for_nobody(own: Services) -> None:
    waiting(own, ["a.png"] * 9)
    other = waiting(own, ["a.png"], "address:192.0.2.2")
    assert in_line(own, "address:192.0.2.2") == [(other.id, 1)]


def test_a_small_job_goes_before_the_large_one_of_its_owner(own: Services) -> None:
    large = waiting(own, ["a.png"] * 9)
    for number in (1, 2, 3):
        finish(own, take(own, large.id, number))
    small = waiting(own, ["a.png"])
    finish(own, take(own, large.id, 4))
    assert (small.id, 1) in in_line(own)


def test_every_message_is_sent_once_its_image_is_in_line(own: Services) -> None:
    job = waiting(own, ["a.png"] * 4)
    assert sorted(own.publisher.messages) == [f"images.waiting.{job.id}.{number}.1" for number in (1, 2)]
    assert own.database.rows("SELECT count(*) FROM outbox") == [[2]], "they leave it when they are taken"


def test_a_replaced_file_takes_no_second_place(own: Services) -> None:
    for name in ("1", "2", "3"):
        folders.take(own, dropped(f"f/{name}.png"))
    for etag in ("two", "three", "four"):
        folders.take(own, dropped("f/1.png", etag))
        assert len(in_line(own, "drop:f")) == own.settings.line_share


def test_an_end_of_any_kind_lets_the_next_one_in(own: Services) -> None:
    job = waiting(own, ["a.png"] * 6)
    images.fail(own, take(own, job.id, 1), "bad_image", "It is none.")
    assert in_line(own) == [(job.id, 2), (job.id, 3)]
    for _ in range(own.settings.image_attempts):
        take(own, job.id, 2)
        lapse(own)
    assert in_line(own) == [(job.id, 3), (job.id, 4)]
    other = waiting(own, ["a.png"])
    endings.expire(own, job.id, at_once=True)
    assert in_line(own) == [(other.id, 1)]


def test_the_sweep_fills_a_line_that_nobody_has_filled(own: Services) -> None:
    job = waiting(own, ["a.png"] * 3)
    own.database.rows("UPDATE images SET in_line = false RETURNING 1")
    sweeping.settle_jobs(own)
    assert in_line(own) == [(job.id, 1), (job.id, 2)]


def test_the_sweep_sends_again_what_is_in_line_and_fails_nothing(own: Services) -> None:
    job = waiting(own, ["a.png"])
    for _ in range(own.settings.image_attempts + 1):
        own.publisher.messages.clear()
        own.database.rows("UPDATE images SET sent_at = now() - interval '16 s' RETURNING 1")
        sweeping.resend(own)
        assert list(own.publisher.messages) == [f"images.waiting.{job.id}.1.1"]
    assert own.database.call("SELECT failures FROM images") == 0


def test_what_is_worked_on_is_not_sent_again(own: Services) -> None:
    job = waiting(own, ["a.png"])
    take(own, job.id)
    own.publisher.messages.clear()
    own.database.rows("UPDATE images SET sent_at = now() - interval '16 s' RETURNING 1")
    assert sweeping.resend(own) == 0
