"""A server's loop ends when it is told to, and not before every answer is sent; no signal has a part in that."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from countermark.http.leaving import NEWCOMER_SECONDS, Leaving
from countermark.http.serving import read_serving

from tests.countermark.http.conftest import Make
from tests.platform_driver import wait_until
from tests.served import refuses

SECONDS = 10
"""In which everything here has happened, on any machine."""


@dataclass
class Running:
    """A server in a thread, whose application answers when it may."""

    make: Make
    leaving: Leaving = field(default_factory=Leaving)
    begun: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.server = self.make(self._answer, read_serving({"PORT": "0"}, Path()), self.leaving)
        self.port = self.server.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def _answer(self, _environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        self.begun.set()
        assert self.may_answer.wait(SECONDS)
        start_response("200 OK", [("Content-Length", "8")])
        return [b"finished"]

    def ended(self) -> bool:
        """Whether the loop ends."""
        self.thread.join(SECONDS)
        return not self.thread.is_alive()


@pytest.fixture
def running(make: Make) -> Iterator[Running]:
    """A server."""
    running = Running(make)
    yield running
    running.may_answer.set()
    if running.thread.is_alive():
        running.server.end()
    assert running.ended()


@pytest.fixture
def in_flight(running: Running) -> Iterator[Future[httpx.Response]]:
    """A request that is being worked on."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(httpx.get, running.url, timeout=SECONDS)
        running.may_answer.set()


def test_what_is_in_flight_is_answered_and_then_the_loop_ends(
    running: Running, in_flight: Future[httpx.Response]
) -> None:
    assert running.begun.wait(SECONDS)
    running.server.drain()
    assert running.leaving.begun
    wait_until(lambda: refuses(running.port))
    time.sleep(2 * NEWCOMER_SECONDS)
    assert running.thread.is_alive(), "an answer is still to be sent"
    running.may_answer.set()
    assert in_flight.result(SECONDS).text == "finished"
    assert running.ended()


def test_an_idle_server_ends_at_once(running: Running) -> None:
    running.server.drain()
    assert running.ended()


def test_being_told_twice_is_being_told_once(running: Running, in_flight: Future[httpx.Response]) -> None:
    assert running.begun.wait(SECONDS)
    running.server.drain()
    running.server.drain()
    running.may_answer.set()
    assert in_flight.result(SECONDS).text == "finished"
    assert running.ended()


def test_told_before_it_serves_it_ends_as_well(make: Make) -> None:
    server = make(lambda _environ, _start: [], read_serving({"PORT": "0"}, Path()), Leaving())
    server.drain()
    server.run()


def test_who_keeps_a_connection_is_answered_until_it_is_closed(running: Running) -> None:
    running.may_answer.set()
    with httpx.Client(base_url=running.url) as kept:
        assert kept.get("/").text == "finished"
        running.server.drain()
        assert kept.get("/").text == "finished"
    assert running.ended()


def test_the_end_waits_for_nobody_who_only_keeps_a_connection(running: Running) -> None:
    running.may_answer.set()
    with httpx.Client() as kept:
        kept.get(running.url)
        running.server.end()
        assert running.ended()
