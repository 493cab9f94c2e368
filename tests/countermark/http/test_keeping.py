"""A connection stays open between requests, and a function that leaves lets nobody lose one on it."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from countermark.http.leaving import LOOK_SECONDS, Leaving, Server
from countermark.http.serving import read_serving

from tests.countermark.http.conftest import Make

STATUSES = {"/whole": "200 OK", "/nothing": "204 No Content", "/same": "304 Not Modified"}
SECONDS = 10


@dataclass
class Running:
    """A server, and the thread that it runs in."""

    server: Server
    thread: threading.Thread

    def connection(self) -> http.client.HTTPConnection:
        """One that is opened with the first request."""
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=SECONDS)


def answer(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
    status = STATUSES[environ["PATH_INFO"]]
    start_response(status, [("Content-Length", "4")] if status.startswith("200") else [])
    return [b"four"] if status.startswith("200") else []


@pytest.fixture
def running(make: Make) -> Iterator[Running]:
    """A server that keeps connections."""
    server = make(answer, read_serving({"PORT": "0"}, Path()), Leaving())
    thread = threading.Thread(target=server.run)
    thread.start()
    yield Running(server, thread)
    if thread.is_alive():
        server.end()
    thread.join(SECONDS)
    assert not thread.is_alive()


def ask(connection: http.client.HTTPConnection, path: str, **headers: str) -> http.client.HTTPResponse:
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.read()
    return response


@pytest.mark.parametrize("path", STATUSES)
def test_a_connection_stays_open_after_any_answer(running: Running, path: str) -> None:
    with closing(running.connection()) as connection:
        first = ask(connection, path)
        kept = connection.sock
        assert (first.status, first.headers["Connection"]) == (int(STATUSES[path][:3]), None)
        ask(connection, "/whole")
        assert kept is not None
        assert connection.sock is kept


@pytest.mark.parametrize("path", STATUSES)
def test_who_asks_for_its_end_gets_it(running: Running, path: str) -> None:
    with closing(running.connection()) as connection:
        assert ask(connection, path, Connection="close").headers["Connection"] == "close"


@pytest.mark.parametrize("path", STATUSES)
def test_who_leaves_answers_once_more_and_says_that_it_was_the_last_time(running: Running, path: str) -> None:
    with closing(running.connection()) as connection:
        ask(connection, "/whole")
        running.server.drain()
        time.sleep(3 * LOOK_SECONDS)  # less than the gateway may wait until it uses the connection once more
        last = ask(connection, path)
        assert (last.status, last.headers["Connection"]) == (int(STATUSES[path][:3]), "close")
        running.thread.join(SECONDS)
        assert not running.thread.is_alive()
