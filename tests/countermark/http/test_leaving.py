"""A server's loop ends when it is told to, and not before every answer is sent; no signal has a part in that."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import waitress
from countermark.http.leaving import NEWCOMER_SECONDS, Leaving

from tests.platform_driver import wait_until
from tests.served import refuses

SECONDS = 10
"""In which everything here has happened, on any machine."""


@dataclass
class Running:
    """A server in a thread, whose application answers when it may."""

    leaving: Leaving = field(default_factory=Leaving)
    begun: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        sockets: dict[int, Any] = {}
        self.server = waitress.create_server(self._answer, map=sockets, host="127.0.0.1", port=0, threads=2)
        self.port = int(self.server.effective_port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.leaving.run, args=(self.server, sockets))
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
def running() -> Iterator[Running]:
    """A server."""
    running = Running()
    yield running
    running.may_answer.set()
    if running.thread.is_alive():
        running.leaving.end(running.server)
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
    running.leaving.drain(running.server)
    assert running.leaving.begun
    wait_until(lambda: refuses(running.port))
    time.sleep(2 * NEWCOMER_SECONDS)
    assert running.thread.is_alive(), "an answer is still to be sent"
    running.may_answer.set()
    assert in_flight.result(SECONDS).text == "finished"
    assert running.ended()


def test_an_idle_server_ends_at_once(running: Running) -> None:
    running.leaving.drain(running.server)
    assert running.ended()


def test_being_told_twice_is_being_told_once(running: Running, in_flight: Future[httpx.Response]) -> None:
    assert running.begun.wait(SECONDS)
    running.leaving.drain(running.server)
    running.leaving.drain(running.server)
    running.may_answer.set()
    assert in_flight.result(SECONDS).text == "finished"
    assert running.ended()


def test_told_before_it_serves_it_ends_as_well() -> None:
    leaving, sockets = Leaving(), dict[int, Any]()
    server = waitress.create_server(lambda _environ, _start: [], map=sockets, host="127.0.0.1", port=0)
    leaving.drain(server)
    leaving.run(server, sockets)


def test_the_end_waits_for_nobody_who_only_keeps_a_connection(running: Running) -> None:
    running.may_answer.set()
    with httpx.Client() as kept:
        kept.get(running.url)
        running.leaving.end(running.server)
        assert running.ended()
