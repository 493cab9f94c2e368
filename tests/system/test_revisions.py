"""Files are replaced and options change at any moment, functions are slow or come back late: the newest one counts."""

import io
import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from countermark.jobs import archives
from countermark.services import Services
from PIL import Image

from functions.archive import archiving
from tests.client import Caller, picture, unpack
from tests.platform_driver import Platform, wait_until
from tests.system.objects import Objects
from tests.system.rows import Rows
from tests.system.workshop import ATTEMPTS, LEASE_SECONDS, Gate, Workshop

HALF = {"tasks": [{"task": "resize", "width": 50, "height": 50}]}


@pytest.fixture(scope="module")
def place(workshop: Workshop) -> Platform:
    """Where an image can be held while it is worked on."""
    return workshop.platform


@pytest.fixture
def name() -> str:
    """Of a folder and a gate that no other test uses."""
    return uuid.uuid4().hex


@pytest.fixture
def gate(workshop: Workshop, name: str) -> Iterator[Gate]:
    """Holds images whose options say so."""
    with workshop.gate(name) as gate:
        yield gate


@contextmanager
def asleep(pid: int) -> Iterator[None]:
    """A process does nothing for a while, and does not know."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def size_of(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


def held_folder(caller: Caller, gate: Gate, folder: str) -> None:
    """A folder with one image that is being worked on."""
    caller.drop(f"{folder}/countermark.json", json.dumps({"tasks": [gate.task]}).encode())
    caller.drop(f"{folder}/a.jpg", picture((200, 100)))
    gate.wait()


def results_of(objects: Objects, key: str) -> list[str]:
    """What is stored for the first image of a job."""
    return [found for found in objects.of(f"{key}/1.") if found.startswith("results/")]


def test_options_that_change_while_an_image_is_marked_win(
    caller: Caller, gate: Gate, name: str, rows: Rows, objects: Objects
) -> None:
    held_folder(caller, gate, name)
    caller.drop(f"{name}/countermark.json", json.dumps(HALF).encode())
    assert size_of(caller.result(f"{name}/a.jpg")) == (50, 25)
    gate.open()  # and the old one comes late
    assert size_of(unpack(caller.result(f"{name}.zip"))["a.jpg"]) == (50, 25)
    key = rows.id_of(rows.folder_job(name))
    wait_until(lambda: len(results_of(objects, key)) == 1)
    assert size_of(caller.result(f"{name}/a.jpg")) == (50, 25)


def test_a_file_that_is_replaced_while_it_is_marked_wins(
    caller: Caller, gate: Gate, name: str, rows: Rows, objects: Objects
) -> None:
    held_folder(caller, gate, name)
    caller.drop(f"{name}/a.jpg", picture((90, 70)))
    gate.wait(2)
    gate.open()
    assert size_of(unpack(caller.result(f"{name}.zip"))["a.jpg"]) == (90, 70)
    wait_until(lambda: size_of(caller.result(f"{name}/a.jpg")) == (90, 70))
    key = rows.id_of(rows.folder_job(name))
    wait_until(lambda: len(results_of(objects, key)) == 1)


def test_a_zip_that_comes_late_does_not_replace_the_new_one(
    place: Platform, caller: Caller, rows: Rows, services: Services, objects: Objects, name: str
) -> None:
    place.stop("archive")
    try:
        caller.drop(f"{name}/a.jpg", picture((60, 40)))
        wait_until(lambda: rows.folder_job(name))
        job = rows.folder_job(name)
        caller.wait_for(job, lambda document: document["state"] == "archiving")
        late = archives.take(services, rows.id_of(job), rows.one("SELECT revision FROM jobs WHERE token = :j", j=job))
        assert late is not None
        caller.drop(f"{name}/a.jpg", picture((90, 70)))
        caller.wait_for(job, lambda document: document["state"] == "receiving")
    finally:
        place.start("archive")
    assert caller.wait(job)["state"] == "ready"
    archiving._archive(services, late)
    assert size_of(caller.archive(job)["a.jpg"]) == (90, 70)
    assert size_of(unpack(caller.result(f"{name}.zip"))["a.jpg"]) == (90, 70)
    assert len(objects.of(f"{rows.id_of(job)}/archive.")) == 1


def test_work_that_is_slow_is_done_once(caller: Caller, gate: Gate) -> None:
    job = caller.upload([("a.jpg", picture())], tasks=json.dumps([gate.task]))
    gate.wait()
    wait_until_leases_would_have_lapsed()
    gate.open()
    assert caller.wait(job)["done"] == 1
    assert len(gate.begun) == 1


def wait_until_leases_would_have_lapsed() -> None:
    """Longer than a lease and a sweep take."""
    end = LEASE_SECONDS * 3 + 2 * 5
    started = os.times().elapsed
    wait_until(lambda: os.times().elapsed - started > end)


def test_an_image_whose_function_dies_is_taken_by_another(caller: Caller, gate: Gate) -> None:
    job = caller.upload([("a.jpg", picture())], tasks=json.dumps([gate.task]))
    gate.wait()
    (first, _), *_ = gate.begun
    os.kill(first, signal.SIGKILL)
    gate.wait(2)
    gate.open()
    assert caller.wait(job)["done"] == 1
    assert [name for _, name in gate.begun] == ["a.jpg", "a.jpg"]
    assert gate.begun[1][0] != first


def test_an_image_that_kills_its_function_again_and_again_is_given_up(caller: Caller, gate: Gate) -> None:
    job = caller.upload([("a.jpg", picture()), ("b.jpg", b"no image")], tasks=json.dumps([gate.task]))
    for number in range(1, ATTEMPTS + 1):
        gate.wait(number)
        os.kill(gate.begun[-1][0], signal.SIGKILL)
    ended = caller.wait(job)
    assert [image["code"] for image in ended["images"]] == ["given_up", "not_an_image"]
    assert ended["state"] == "failed"
    assert len(gate.begun) == ATTEMPTS


def test_a_function_that_comes_back_late_harms_nobody(caller: Caller, gate: Gate, rows: Rows, objects: Objects) -> None:
    job = caller.upload([("a.jpg", picture())], tasks=json.dumps([gate.task]))
    gate.wait()
    (late, _), *_ = gate.begun
    with asleep(late):
        gate.wait(2)
        gate.open()
        assert caller.wait(job)["done"] == 1
    wait_until(lambda: len(results_of(objects, rows.id_of(job))) == 1)
    assert set(caller.archive(job)) == {"a.jpg", "report.json"}
    assert caller.http.get(f"/job/{job}/images/1", follow_redirects=True).status_code == 200


def test_a_job_that_is_deleted_while_an_image_is_held_leaves_nothing(
    caller: Caller, gate: Gate, rows: Rows, objects: Objects
) -> None:
    job = caller.upload([("a.jpg", picture())], tasks=json.dumps([gate.task]))
    gate.wait()
    key = rows.id_of(job)
    caller.delete(job)
    gate.open()
    objects.wait_until_none(key)
    assert caller.is_gone(job)
