"""Locks are taken in one order: whatever runs at once, nobody waits for somebody who waits for him."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread

import pytest
from countermark.jobs import archives, endings, folders, images, opening, sweeping
from countermark.servers.database import Database
from countermark.services import Services

from functions.reconcile.sweep import sweep
from tests.jobs.acts import dropped, finish, in_line, waiting

THREADS = 6


@pytest.fixture
def no_deadlock(own: Services) -> Iterator[None]:
    """The server counts those that it has broken; callers would only see a database that is away."""
    sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = own.database.call(sql)
    yield
    own.database.call("SELECT pg_stat_clear_snapshot()")
    own.database.call("SELECT pg_stat_force_next_flush()")
    assert own.database.call(sql) == before


def at_once(own: Services, works: list[Callable[[], object]]) -> None:
    """Do all of it in threads, each of which has a connection; what goes wrong comes out."""

    def some(first: int) -> None:
        try:
            for work in works[first::THREADS]:
                work()
        finally:
            own.database.close()

    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(some, first) for first in range(THREADS)]:
            future.result()


def mark(own: Services, job: str, number: int) -> None:
    taken = images.take(own, job, number, 1)
    if taken is not None:
        finish(own, taken)


@pytest.mark.usefixtures("no_deadlock")
def test_images_that_end_at_once_complete_their_job_once(own: Services) -> None:
    jobs = [waiting(own, ["a.png"] * 6) for _ in range(4)]
    own.database.rows("UPDATE images SET in_line = true RETURNING 1")
    works = [lambda job=job, n=n: mark(own, job.id, n) for job in jobs for n in range(1, 7)]
    random.Random(1).shuffle(works)
    at_once(own, works)
    assert own.database.rows("SELECT state, count(*) FROM jobs GROUP BY 1") == [["archiving", 4]]
    assert sum(subject.startswith("jobs.complete") for subject in own.publisher.messages) == 4


@pytest.mark.usefixtures("no_deadlock")
def test_nobody_has_more_than_his_share_whoever_refills_at_once(own: Services) -> None:
    works = [lambda: waiting(own, ["a.png"] * 3) for _ in range(12)]
    at_once(own, works)
    assert own.database.call("SELECT count(*) FROM images WHERE in_line") == own.settings.line_share


@pytest.mark.usefixtures("no_deadlock")
def test_ends_deletions_and_sweeps_at_once_do_not_lock_each_other(own: Services) -> None:
    jobs = [waiting(own, ["a.png"] * 3) for _ in range(6)]
    works: list[Callable[[], object]] = []
    for job in jobs:
        works += [lambda job=job, n=n: mark(own, job.id, n) for n in (1, 2, 3)]
        works += [
            lambda job=job: endings.expire(own, job.id, at_once=True),
            lambda job=job: endings.delete_objects(own, job.id),
            lambda job=job: archives.take(own, job.id, 0),
            lambda job=job: opening.fail_expected(own, job.id, [1, 2], "not_uploaded", "It was not uploaded."),
        ]
    works += [lambda: gap_and_sweep(own) for _ in range(4)]
    works += [lambda n=n: drop_quietly(own, n) for n in range(12)]
    random.Random(2).shuffle(works)
    at_once(own, works)
    lost = "SELECT job_id FROM images JOIN jobs ON id = job_id WHERE in_line AND jobs.state IN ('expired', 'gone')"
    assert own.database.rows(lost) == []


def gap_and_sweep(own: Services) -> None:
    own.database.rows("UPDATE sweeps SET swept_at = swept_at - interval '1 hour' RETURNING 1")
    sweep(own)


def drop_quietly(own: Services, number: int) -> None:
    with suppress(folders.NotYet):
        folders.take(own, dropped(f"f/{number % 3}.png", f"etag {number}"))


@pytest.mark.usefixtures("no_deadlock")
def test_an_image_that_is_let_in_while_its_job_is_deleted_keeps_no_place(own: Services, postgres: str) -> None:
    first, second = waiting(own, ["a.png"] * 2), waiting(own, ["a.png"] * 2)
    other = Database(postgres)
    with other.transaction() as connection:  # the end of both images of the first job
        connection.run("UPDATE images SET state = 'done', in_line = false WHERE job_id = :job", job=first.id)
        connection.run("SELECT refill_v1(owner, 2) FROM jobs WHERE id = :id", id=first.id)

        def delete() -> None:
            endings.expire(own, second.id, at_once=True)
            own.database.close()

        thread = Thread(target=delete)
        thread.start()
        thread.join(0.5)
    thread.join(5)
    other.close()
    third = waiting(own, ["a.png"] * 2)
    assert in_line(own) == [(third.id, 1), (third.id, 2)]


@pytest.mark.usefixtures("no_deadlock")
def test_a_refill_does_not_wait_for_a_row_that_somebody_holds(own: Services, postgres: str) -> None:
    first, second = waiting(own, ["a.png"] * 3), waiting(own, ["a.png"] * 3)
    other = Database(postgres)
    with own.database.transaction() as connection:
        connection.run("SELECT FROM images WHERE job_id = :job FOR UPDATE", job=second.id)

        def refill() -> None:
            other.call("SELECT refill_v1(owner, 5) FROM jobs WHERE id = :id", id=first.id)
            other.close()

        thread = Thread(target=refill)
        thread.start()
        thread.join(5)
        assert not thread.is_alive()


@pytest.mark.usefixtures("no_deadlock")
def test_a_sweep_after_a_gap_leaves_images_to_those_who_hold_them(own: Services, postgres: str) -> None:
    """It takes images of many jobs, so that it must wait for none: who holds one could wait for another."""
    job = waiting(own, ["a.png"] * 2)
    for number in (1, 2):
        images.take(own, job.id, number, 1)
    own.database.rows("UPDATE sweeps SET swept_at = swept_at - interval '1 hour' RETURNING 1")
    other = Database(postgres)
    with own.database.transaction() as connection:
        connection.run("SELECT FROM images WHERE job_id = :job AND number = 2 FOR UPDATE", job=job.id)

        def begin() -> None:
            other.call("SELECT begin_sweep_v1(5, 15, 3600)")
            other.close()

        thread = Thread(target=begin)
        thread.start()
        thread.join(5)
        assert not thread.is_alive()
    assert own.database.rows("SELECT excused FROM images ORDER BY number") == [[True], [False]]


def test_the_sweep_takes_one_job_at_a_time(own: Services) -> None:
    """Two sweeps at once, as after a restart."""
    for _ in range(4):
        waiting(own, ["a.png"] * 2)
    at_once(own, [lambda: sweeping.settle_jobs(own), lambda: sweeping.resend(own)] * 4)
