"""What a step costs: how often it waits for the database, as each wait is a network's time on a cluster."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from countermark.jobs import archives, endings, images, opening, reading
from countermark.jobs.keys import posted_key
from countermark.jobs.opening import Arrival, NewImage, NewJob
from countermark.services import Services
from pg8000.core import CoreConnection

from functions.watermark.process import process
from tests.jobs.made import ALICE, dropped, opened, picture, result_of, taken, uploaded, value

Waits = Callable[[], int]


@pytest.fixture
def waits(own: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """How often somebody has waited for the server's answer since this was asked last."""
    count = 0
    answered = CoreConnection.handle_messages

    def counted(connection: CoreConnection, context: Any) -> None:
        nonlocal count
        count += 1
        answered(connection, context)

    def since() -> int:
        nonlocal count
        so_many, count = count, 0
        return so_many

    own.database.call("SELECT 1")
    monkeypatch.setattr(CoreConnection, "handle_messages", counted)
    return since


def new(job: NewJob, *numbers: int) -> list[NewImage]:
    return [NewImage(number=n, name=f"{n}.png", key=posted_key(job.id, n)) for n in numbers]


def test_each_step_is_one(own: Services, waits: Waits) -> None:
    job = opening.new_job()
    opening.open_job(own, job, ALICE, {}, new(job, 1, 2))
    assert waits() == 1
    assert opening.add_images(own, job.id, new(job, *range(3, 40)))
    assert waits() == 1
    opening.arrive_all(own, job.id, [Arrival(number=n, etag="e", size=1) for n in range(1, 40)], seal=True)
    assert waits() == 1, "messages are sent and not taken out"
    first = taken(own, job.id)
    assert waits() == 1
    images.renew(own, first)
    assert waits() == 1
    result = result_of(own, first)
    assert images.finish(own, first, 1, result) == "1.png"
    assert waits() == 1
    images.fail(own, taken(own, job.id, 2), "bad", "It is none.")
    assert waits() == 2
    for which in (reading.find_job, reading.see_job):
        which(own, job.token)
        assert waits() == 1
    endings.delete_objects(own, endings.expire_at_once(own, job.token))
    assert waits() == 3, "the end, what is to be deleted, and that it is gone"


def test_an_image_is_two(own: Services, waits: Waits) -> None:
    """Its options are read once for all images that have the same."""
    for job in (uploaded(own, "a.png", data=picture()), uploaded(own, "b.png", data=picture())):
        waits()
        process(own, job.id, 1, 1)
    assert value(own, "SELECT count(*) FROM images WHERE state = 'done'") == 2
    waits()
    job = uploaded(own, "c.png", data=picture())
    waits()
    process(own, job.id, 1, 1)
    assert waits() == 2


def test_a_zip_is_two_beside_its_list(own: Services, waits: Waits) -> None:
    job = uploaded(own, "a.png")
    images.fail(own, taken(own, job.id), "bad", "It is none.")
    waits()
    archiving = archives.take(own, job.id, 0)
    assert archiving is not None
    assert archives.finish(own, archiving, 7)
    assert waits() == 2


def test_a_dropped_file_is_one_and_the_first_of_its_folder_two(own: Services, waits: Waits) -> None:
    for name, cost in (("a.png", 2), ("b.png", 1), ("a.png", 1)):
        assert dropped(own, f"folder/{name}", name.encode()) in {"adopted", "known"}
        assert waits() == cost


def test_a_statement_of_many_bytes_is_one(own: Services, waits: Waits) -> None:
    job = opened(own, "a.png")
    waits()
    options = {"text": "x" * 1_000_000}
    other = opening.new_job()
    opening.open_job(own, other, ALICE, options, [])
    assert waits() == 1
    assert reading.job_options(own, other.id) == options
    assert reading.job_options(own, job.id) == {}
