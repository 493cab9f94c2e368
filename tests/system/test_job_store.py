"""The job store on real PostgreSQL: the fan-in is right whoever ends first, and twice is once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest
from countermark.http.problems import Unavailable
from countermark.jobs import DropStore, Ending, Image, JobStore, NewImage, Result, new_job_id
from countermark.servers.database import Database

from tests.system.pooler import pooled

RESULT = Result(key="k", bytes=1, name="n.jpg", format="JPEG", width=1, height=1)
DROPS: dict[str, Any] = {"bucket": "drop", "size": 1, "options": {}}


@pytest.fixture(scope="module", params=["itself", "behind a pooler"])
def database_url(request: pytest.FixtureRequest, platform: Any) -> Iterator[str]:
    """The address of the platform's database, or of a pooler that gives each transaction a session of its own."""
    url = platform.secret("database-url")
    with pooled(url) if request.param == "behind a pooler" else nullcontext(url) as address:
        yield address


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The platform's database."""
    own = Database(database_url)
    yield own
    own.close()


def open_job(jobs: JobStore, count: int) -> tuple[str, list[Image]]:
    """A job with so many images that wait."""
    job = new_job_id()
    jobs.open_job(
        job, {}, 60, [NewImage(number=n, name=f"{n}", bucket="tests", key=f"{job}/{n}") for n in range(1, count + 1)]
    )
    return job, jobs.images(job)


def test_of_images_that_end_at_the_same_moment_one_completes_the_job(database: Database) -> None:
    jobs = JobStore(database)
    job, images = open_job(jobs, 40)

    def end(image: Image) -> Ending:
        if image.number % 5 == 0:
            ending = jobs.fail_image(image, "bad", "It is bad.")
        else:
            ending = jobs.finish_image(image, RESULT, etag="e", size=1)
        database.close()
        return ending

    with ThreadPoolExecutor(8) as pool:
        endings = list(pool.map(end, images))
    assert endings.count(Ending.COMPLETE) == 1
    found = jobs.find_job(job)
    assert found
    assert found.state == "archiving"
    assert (jobs.progress(job).done, jobs.progress(job).failed) == (32, 8)
    assert jobs.expire(job, now=True)
    jobs.forget(job)


def test_an_image_is_being_worked_on_until_it_ends(database: Database) -> None:
    jobs = JobStore(database)
    job, (image, _) = open_job(jobs, 2)
    assert [each.is_working for each in jobs.images(job)] == [False, False]
    jobs.begin_image(image)
    assert [each.is_working for each in jobs.images(job)] == [True, False]
    jobs.finish_image(image, RESULT, etag="e", size=1)
    jobs.begin_image(image)
    assert [each.is_working for each in jobs.images(job)] == [False, False]
    assert jobs.expire(job, now=True)
    jobs.forget(job)


def test_an_end_that_comes_twice_or_late_changes_nothing(database: Database) -> None:
    jobs = JobStore(database)
    job, (image,) = open_job(jobs, 1)
    assert jobs.fail_image(image, "first", "It was first.") is Ending.COMPLETE
    assert jobs.finish_image(image, RESULT, etag="e", size=1) is Ending.COMPLETE
    assert jobs.images(job)[0].code == "first"
    assert jobs.expire(job, now=True)
    assert jobs.finish_image(image, RESULT, etag="e", size=1) is Ending.GONE
    jobs.forget(job)
    assert jobs.expire(job, now=True) is None
    assert jobs.finish_image(image, RESULT, etag="e", size=1) is Ending.GONE


def test_an_archive_of_a_job_that_went_on_is_out_of_date(database: Database) -> None:
    jobs, drops = JobStore(database), DropStore(database, quiet=60, seconds=60)
    folder = new_job_id()
    job, image, new = drops.adopt(folder, name="a", key=f"{folder}/a", etag="1", **DROPS)
    assert new
    assert drops.adopt(folder, name="a", key=f"{folder}/a", etag="1", **DROPS)[2] is False
    jobs.seal(job.id)
    assert jobs.finish_image(image, RESULT, etag="1", size=1) is Ending.COMPLETE
    archiving = jobs.find_job(job.id)
    assert archiving
    again, replaced, new = drops.adopt(folder, name="a", key=f"{folder}/a", etag="2", **DROPS)
    assert (again.id, replaced.number, replaced.state, new) == (job.id, image.number, "waiting", True)
    assert jobs.finish_archive(archiving, "zip", 1, done=1, lifetime=60) is None
    assert jobs.finish_image(image, RESULT, etag="1", size=1) is Ending.OPEN, "it was marked before it was replaced"
    assert jobs.images(job.id)[0].state == "waiting"
    assert jobs.expire(job.id, now=True)
    jobs.forget(job.id)


def test_a_database_that_is_away_is_told_as_such() -> None:
    with pytest.raises(Unavailable), Database("postgresql://u:p@127.0.0.1:9/d").transaction():
        pass
