"""A message is a row in the transaction of its change, and is sent after that, at once or by the sweep.

It is taken out by whoever takes what it asks for.
"""

import pytest
from countermark.http.problems import Unavailable
from countermark.jobs import archives, endings, images, opening, outbox
from countermark.jobs.archives import Archiving
from countermark.jobs.opening import Arrival
from countermark.services import Services

from tests.jobs.made import BOB, arrived, change, image_row, opened, result_of, rows, sent, taken, value


class Away:
    """A stream that does not answer."""

    def publish_all(self, _messages: object) -> list[bool]:
        raise Unavailable


class Half:
    """A stream that confirms the first of the messages."""

    def publish_all(self, messages: list[object]) -> list[bool]:
        return [number == 0 for number in range(len(messages))]


@pytest.fixture
def without(own: Services) -> Services:
    """The same with a stream that is away."""
    return type(own)(settings=own.settings, database=own.database, objects=own.objects, publisher=Away())  # type: ignore[arg-type]


def subjects(own: Services) -> list[str]:
    return [subject for (subject,) in rows(own, "SELECT subject FROM outbox ORDER BY id")]


def test_what_is_taken_leaves_the_outbox(own: Services) -> None:
    """Whoever takes it has its message; that it was sent needs no transaction of its own."""
    job, other = opened(own, "a.png"), opened(own, "a.png", owner=BOB)
    arrived(own, other, 1)
    arrived(own, job, 1)
    opening.seal(own, job.id)
    assert sent(own) == sorted(subjects(own)) == sorted(f"images.waiting.{each.id}.1.1" for each in (job, other))
    stays = [f"images.waiting.{other.id}.1.1"]
    images.finish(own, first := taken(own, job.id), 1, result_of(own, first))
    assert subjects(own) == [*stays, f"jobs.complete.{job.id}.0"]
    assert archives.finish(own, archiving_of(own, job.id), 1)
    assert subjects(own) == stays
    endings.expire(own, job.id, at_once=True)
    assert subjects(own) == [*stays, f"jobs.expired.{job.id}"]
    endings.delete_objects(own, job.id)
    assert subjects(own) == stays


def archiving_of(own: Services, job_id: str) -> Archiving:
    archiving = archives.take(own, job_id, 0)
    assert archiving is not None
    return archiving


def test_a_message_that_was_sent_again_leaves_the_outbox_as_well(own: Services) -> None:
    job = opened(own, "a.png")
    arrived(own, job, 1)
    images.release(own, job.id, 1, taken(own, job.id).lease, counted=True, resend=True)
    change(own, "INSERT INTO outbox (subject, data) SELECT subject || '0', '{}' FROM outbox")  # of another attempt
    assert subjects(own) == [f"images.waiting.{job.id}.1.1.1", f"images.waiting.{job.id}.1.1.10"]
    change(own, "INSERT INTO outbox (subject, data) VALUES (:subject, '{}')", subject=f"images.waiting.{job.id}.1.10")
    taken(own, job.id)
    assert subjects(own) == [f"images.waiting.{job.id}.1.10"], "of another revision"


def test_who_deletes_a_job_is_not_told_to(own: Services) -> None:
    job = opened(own, "a.png")
    assert endings.expire_at_once(own, job.token) == job.id
    assert sent(own) == []
    assert subjects(own) == [f"jobs.expired.{job.id}"], "if he dies the sweep tells"
    endings.delete_objects(own, job.id)
    assert subjects(own) == []


def test_what_is_not_sent_stays_and_the_change_is_done(own: Services, without: Services) -> None:
    job = opened(own, "a.png")
    assert arrived(without, job, 1) == "arrived"
    assert image_row(own, job.id).state == "waiting"
    assert subjects(own) == [f"images.waiting.{job.id}.1.1"]


def test_the_sweep_sends_what_nobody_has_sent(own: Services, without: Services) -> None:
    job = opened(own, "a.png")
    arrived(without, job, 1)
    assert outbox.send_overdue(own) == 0, "its own process may be at it"
    change(own, "UPDATE outbox SET created_at = created_at - interval '6 s'")
    assert outbox.send_overdue(without) == 1
    assert subjects(own) == [f"images.waiting.{job.id}.1.1"]
    assert outbox.send_overdue(own) == 1
    assert own.publisher.messages == {  # type: ignore[attr-defined]
        f"images.waiting.{job.id}.1.1": [{"version": 1, "job": job.id, "number": 1, "revision": 1}]
    }
    assert subjects(own) == []


def test_what_is_not_confirmed_stays(own: Services) -> None:
    half = type(own)(settings=own.settings, database=own.database, objects=own.objects, publisher=Half())  # type: ignore[arg-type]
    job = opened(own, "a.png", "b.png")
    for number in (1, 2):
        arrived(half, job, number)
    change(own, "UPDATE outbox SET created_at = created_at - interval '6 s'")
    assert outbox.send_overdue(half) == 2
    assert subjects(own) == [f"images.waiting.{job.id}.2.1"]


def test_a_message_is_in_the_outbox_only_if_its_change_is_done(own: Services) -> None:
    job = opened(own, "a.png")

    def arrive_and_fail() -> None:
        with own.database.transaction() as connection:
            connection.run(
                opening.ARRIVE, **opening.arriving(own, job.id, [Arrival(number=1, etag="x", size=1)], seal=False)
            )
            raise KeyError

    with pytest.raises(KeyError):
        arrive_and_fail()
    assert subjects(own) == []
    assert value(own, "SELECT state FROM images") == "expected"
