"""Servers are away, lose what they had, or refuse: people are told so, and everything ends when they are back."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from countermark.http.problems import Unavailable
from countermark.servers.database import Database
from pg8000.native import Connection, identifier, literal

from infra.connector.streams import COUNTERMARK, NOTIFICATIONS, SCHEDULES
from tests.client import PHOTOGRAPHS, Caller, picture, unpack
from tests.platform_driver import Platform, wait_until
from tests.system.rows import Rows
from tests.system.stream import Stream

COUNT = 12


def photographs() -> list[tuple[str, bytes]]:
    """Enough of them for something to happen among."""
    return [(f"{number}.jpg", PHOTOGRAPHS[number % len(PHOTOGRAPHS)].read_bytes()) for number in range(COUNT)]


@contextmanager
def stopped(platform: Platform, name: str) -> Iterator[None]:
    """A part is away for a while."""
    platform.stop(name)
    try:
        yield
    finally:
        platform.start(name)
        wait_until(lambda: platform.pids(name))


def answers_again(caller: Caller) -> bool:
    """Whether people are served."""
    return caller.http.get(f"/function/status/{'0' * 32}").status_code == 404


def test_streams_that_are_deleted_come_back_and_nobody_notices(caller: Caller, stream: Stream) -> None:
    jobs = [caller.upload(photographs())]
    for name in (COUNTERMARK, NOTIFICATIONS, SCHEDULES):
        stream.ask(lambda context, name=name: context.delete_stream(name))
    jobs.append(caller.upload([("a.jpg", picture())]))
    data = picture()
    order = caller.order([("b.jpg", data)])
    assert caller.put(order["uploads"][0], data) == 200
    caller.drop("without a stream/c.jpg", data)
    assert [caller.wait(job, 120)["done"] for job in (*jobs, order["job"])] == [COUNT, 1, 1]
    assert set(unpack(caller.result("without a stream.zip", 120))) == {"c.jpg", "report.json"}


def test_a_stream_that_lost_its_files_begins_anew(place: Platform, caller: Caller) -> None:
    jobs = [caller.upload(photographs())]
    with stopped(place, "nats"):
        jobs.append(caller.upload([("a.jpg", picture())]))
        shutil.rmtree(place.data / "nats" / "jetstream")
    jobs.append(caller.upload([("b.jpg", picture())]))
    assert [caller.wait(job, 120)["done"] for job in jobs] == [COUNT, 1, 1]


@pytest.mark.parametrize("name", ["postgres", "store"])
def test_people_are_told_while_a_server_is_away_and_no_job_stays_open(
    place: Platform, caller: Caller, rows: Rows, name: str
) -> None:
    job = caller.upload(photographs())
    with stopped(place, place.store if name == "store" else name):
        answer = caller.post([("a.jpg", picture())])
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "127.0.0.1" not in answer.text
    wait_until(lambda: answers_again(caller))
    assert caller.wait(job, 120)["done"] == COUNT
    wait_until(lambda: not open_uploads(rows))


def open_uploads(rows: Rows) -> list[str]:
    """Jobs that wait for images by links, or that nobody ended."""
    return rows.ask("SELECT token FROM jobs WHERE state = 'receiving' AND source = 'upload'")


def test_a_new_job_from_dropped_images_that_the_store_does_not_copy_leaves_nothing_open(
    place: Platform, caller: Caller, rows: Rows
) -> None:
    caller.drop("copied/a.jpg", picture())
    caller.result("copied.zip")
    job = rows.folder_job("copied")
    with stopped(place, place.store):
        assert caller.again(job).status_code == 503
    wait_until(lambda: not open_uploads(rows))
    wait_until(lambda: caller.again(job).status_code == 202)


def test_the_cause_of_an_outage_is_in_the_log_and_not_in_the_answer(place: Platform, caller: Caller) -> None:
    url = urlsplit(place.database_url)
    own = Connection(url.username, host=url.hostname, port=url.port, password=url.password, database=url.path[1:])
    user, password = identifier(str(url.username)), str(url.password)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = :user"
    before = len(place.logs("status"))
    try:
        own.run(f"ALTER USER {user} PASSWORD 'another'")
        own.run(others, user=url.username)
        answer = caller.http.get(f"/function/status/{'0' * 32}")
    finally:
        own.run(f"ALTER USER {user} PASSWORD {literal(password)}")
        own.close()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "password" not in answer.text
    told = [json.loads(line) for line in place.logs("status")[before:].splitlines()]
    assert "28P01" in {line.get("sqlstate") for line in told}
    wait_until(lambda: answers_again(caller))


def test_a_transaction_that_says_nothing_holds_up_nobody(place: Platform, caller: Caller, rows: Rows) -> None:
    """As of a host that is lost in the middle of one."""
    lost = Database(place.database_url)
    place.stop("watermark")
    try:
        job = caller.upload([("a.jpg", picture())])
        with pytest.raises(Unavailable), lost.transaction() as connection:  # noqa: PT012 -- what comes after is the test
            connection.run("SELECT FROM jobs WHERE id = :id FOR UPDATE", id=rows.id_of(job))
            place.start("watermark")
            assert caller.wait(job)["done"] == 1
    finally:
        lost.close()
        if not place.pids("watermark"):
            place.start("watermark")


def test_the_connector_tells_that_the_stream_is_away(place: Platform) -> None:
    address = f"http://127.0.0.1:{place.ports['connector']}/healthz"
    with stopped(place, "nats"):
        wait_until(lambda: httpx.get(address).status_code == 503)
    wait_until(lambda: httpx.get(address).status_code == 200)
