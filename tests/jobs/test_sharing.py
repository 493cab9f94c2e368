"""What two jobs refer to is deleted with the last of them; a lost answer makes nobody delete what is current."""

from threading import Barrier, Thread

from countermark.http.problems import Unavailable
from countermark.jobs import again, archives, comparing, endings, images, opening
from countermark.jobs.reading import find_job_by_id
from countermark.servers.database import Database
from countermark.servers.objects import RESULTS, UPLOADS
from countermark.services import Services

from functions.reconcile.store import delete_unknown
from tests.jobs.acts import finish, image_row, job_row, ready, receiving, take, waiting


def stored(own: Services, bucket: str) -> list[str]:
    return [item.key for item in own.objects.list(bucket)]


def with_originals(own: Services, count: int = 2) -> str:
    """A job whose originals are in the store."""
    job = receiving(own, ["a.png"] * count)
    for number in range(1, count + 1):
        etag = own.objects.write(UPLOADS, f"posted/{job.id}/{number}", b"original", "image/png")
        opening.arrive(own, job.id, number, etag=etag, size=8)
    opening.seal(own, job.id)
    return job.id


def more(own: Services, job_id: str) -> str:
    """The same once more."""
    job = find_job_by_id(own, job_id)
    assert job is not None
    return again.open_again(own, job, "address:192.0.2.2", {"text": "x"}, only_failed=False).id


def end(own: Services, job_id: str) -> None:
    endings.expire(own, job_id, at_once=True)
    endings.delete_objects(own, job_id)


def test_again_refers_to_the_originals_and_the_last_job_deletes_them(own: Services) -> None:
    first = with_originals(own)
    second = more(own, first)
    assert len(stored(own, UPLOADS)) == 2
    end(own, first)
    assert len(stored(own, UPLOADS)) == 2
    third = more(own, second)
    end(own, second)
    assert len(stored(own, UPLOADS)) == 2
    end(own, third)
    assert stored(own, UPLOADS) == []
    assert own.database.rows("SELECT * FROM ledger") == []


def test_two_that_expire_together_leave_nothing(own: Services, postgres: str) -> None:
    """Each sees the other's reference, as neither has committed; the comparison deletes what is left, if anything."""
    first = with_originals(own)
    jobs = [first, more(own, first)]
    for job in jobs:
        endings.expire(own, job, at_once=True)
    barrier, other = Barrier(2), Database(postgres)

    def forget(database: Database, job: str) -> None:
        with database.transaction() as connection:
            barrier.wait()
            connection.run("SELECT bucket, key FROM forget_v1(:job)", job=job)
            barrier.wait()
        database.close()

    threads = [Thread(target=forget, args=(other, job)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert own.database.rows("SELECT * FROM ledger") == []
    delete_unknown(own, UPLOADS, stored(own, UPLOADS), may_delete=True)
    assert stored(own, UPLOADS) == []


def test_an_end_that_is_asked_for_twice_deletes_nothing(own: Services) -> None:
    """The answer to COMMIT was lost: it was done all the same."""
    job = waiting(own, ["a.png"])
    taken = take(own, job.id)
    assert finish(own, taken) == "a.png"
    assert finish(own, taken) == "a.png"
    assert image_row(own, job.id, "state, result_key") == ["done", taken.result_key]


def test_a_zip_that_is_finished_twice_is_the_jobs(own: Services) -> None:
    job = ready(own)
    archiving = archives.take(own, job.id, 0)
    assert archiving is not None
    assert archives.finish(own, archiving, 1)
    assert archives.finish(own, archiving, 1)
    assert job_row(own, job.id, "state, archive_key") == ["ready", archiving.key]


def test_who_has_lost_his_lease_ends_in_vain(own: Services) -> None:
    job = waiting(own, ["a.png"])
    late = take(own, job.id)
    images.release(own, job.id, 1, late.lease, counted=True)
    current = take(own, job.id)
    assert late.result_key != current.result_key
    assert finish(own, current) == "a.png"
    assert finish(own, late) is None
    assert image_row(own, job.id, "result_key") == [current.result_key]


def test_every_attempt_is_in_the_ledger_before_it_stores_anything(own: Services) -> None:
    job = waiting(own, ["a.png"])
    taken = take(own, job.id)
    assert comparing.known_keys(own, RESULTS, [taken.result_key, "other"]) == {taken.result_key}


def test_an_answer_that_is_lost_is_asked_for_again(own: Services) -> None:
    """A transaction that was committed, and of which the answer never came, is done once."""
    job = waiting(own, ["a.png"])
    taken = take(own, job.id)
    lost = LostAnswers(own.database)
    hindered = Services(settings=own.settings, database=lost, objects=own.objects, publisher=own.publisher)
    assert finish(hindered, taken) == "a.png"
    assert lost.lost == 1
    assert image_row(own, job.id, "state, result_key") == ["done", taken.result_key]
    assert job_row(own, job.id, "state") == ["archiving"]
    assert own.database.call("SELECT count(*) FROM outbox") <= 1


def test_who_has_lost_the_answer_has_what_he_took(own: Services) -> None:
    def hindered() -> Services:
        lost = LostAnswers(own.database)
        return Services(settings=own.settings, database=lost, objects=own.objects, publisher=own.publisher)

    job = waiting(own, ["a.png"])
    taken = images.take(hindered(), job.id, 1, 1)
    assert taken is not None
    assert image_row(own, job.id, "lease") == [taken.lease]
    assert images.take(own, job.id, 1, 1) is None
    finish(own, taken)
    archiving = archives.take(hindered(), job.id, 0)
    assert archiving is not None
    assert job_row(own, job.id, "lease") == [archiving.lease]
    assert archives.take(own, job.id, 0) is None


class LostAnswers(Database):
    """The first answer to a question is lost after it was committed."""

    def __init__(self, real: Database) -> None:
        self._real, self.lost = real, 0

    def query(self, ask):  # type: ignore[no-untyped-def]
        try:
            return self._real_then_lost(ask)
        except Unavailable:
            return self._real.query(ask)

    def _real_then_lost(self, ask):  # type: ignore[no-untyped-def]
        answer = self._real.query(ask)
        if not self.lost:
            self.lost += 1
            raise Unavailable
        return answer
