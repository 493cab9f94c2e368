"""Bodies are taken while they come: nobody waits for a slow one, and who is refused hears it before he has sent all."""

import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from countermark.http.application import make_app
from countermark.http.body import LeastRate
from countermark.http.calls import CALLER_HEADER, Event, Receive, owner_of
from countermark.http.leaving import Leaving
from countermark.http.problems import BadOptions, Problem
from countermark.http.serve import make_server
from countermark.http.serving import Serving, read_serving
from countermark.http.streaming import ANSWERING, SMALL_BODY_BYTES, StreamingServer

from tests.platform_driver import wait_until

SECONDS = 20
"""In which everything here has happened, on any machine."""
AT_ONCE = 3
SLOW = 500


class Function:
    """A function that takes what is sent to /take while it comes; what is sent to /refuse it refuses at once."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.errors: list[BaseException] = []
        self.blocked, self.may_go = threading.Event(), threading.Event()

    def receiver(self, event: Event) -> Receive | None:
        if event.path == "/block":  # the server's loop
            self.blocked.set()
            self.may_go.wait(SECONDS)
        return {"/take": self.take, "/refuse": self.refuse}.get(event.path)

    async def take(self, chunks: AsyncIterator[bytes]) -> int:
        size = 0
        try:
            async for chunk in chunks:
                size += len(chunk)
                self.chunks.append(chunk)
        except BaseException as error:
            self.errors.append(error)
            raise
        return size

    async def refuse(self, _chunks: AsyncIterator[bytes]) -> None:
        raise BadOptions("They are wrong.", errors=[])

    def handle(self, event: Event, _context: Any) -> Any:
        return {"taken": event.received, "read": len(event.body), "caller": owner_of(event), "path": event.path}


@contextmanager
def served(function: Function, least: LeastRate | None = None, **environment: str) -> Iterator[int]:
    """The port of a server around a function."""
    leaving = Leaving()
    serving: Serving = read_serving({"PORT": "0", **environment}, Path())
    app = make_app(function.handle, name="taking", leaving=leaving)
    server = StreamingServer(app, function.receiver, serving, leaving, least)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.port
    finally:
        server.drain()
        thread.join(SECONDS)
    assert not thread.is_alive()


@pytest.fixture
def function() -> Function:
    """A function."""
    return Function()


@pytest.fixture
def port(function: Function) -> Iterator[int]:
    """Where it is served."""
    limits = {"max_inflight": str(2 * SLOW), "max_inflight_per_caller": str(AT_ONCE), "max_body_bytes": "1000000000"}
    with served(function, **limits) as port:
        yield port


def begin(
    port: int, path: str = "/take", length: int = 1000, caller: str = "192.0.2.1", **headers: str
) -> socket.socket:
    """A request whose body is still to be sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    sent = {"Host": "here", "Content-Length": str(length), CALLER_HEADER: caller, **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    connection.sendall(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode())
    return connection


def status_of(connection: socket.socket) -> int:
    """The status of the answer."""
    with connection.makefile("rb") as answer:
        return int(answer.readline().split()[1])


def test_a_function_with_a_receiver_is_served_this_way() -> None:
    handler = ModuleType("handler")
    handler.handle = lambda _event, _context: ""  # type: ignore[attr-defined]
    handler.receiver = lambda _event: None  # type: ignore[attr-defined]
    server = make_server(handler, "taking", read_serving({"PORT": "0"}, Path()), Leaving())
    assert isinstance(server, StreamingServer)
    server.drain()
    server.run()


def test_what_has_come_is_taken_before_the_rest(function: Function, port: int) -> None:
    with closing(begin(port, length=9)) as connection:
        connection.sendall(b"first")
        wait_until(lambda: b"".join(function.chunks) == b"first")
        connection.sendall(b"last")
        assert status_of(connection) == 200


def test_what_the_receiver_returns_is_handed_on(port: int) -> None:
    answer = httpx.post(f"http://127.0.0.1:{port}/take", content=iter([b"a" * 70_000, b"b" * 70_000]))
    assert answer.json() == {"taken": 140_000, "read": 0, "caller": "address:unknown", "path": "/take"}


def test_another_body_is_handed_over_whole(port: int) -> None:
    answer = httpx.post(f"http://127.0.0.1:{port}/a%20b/", content=bytes(3_000_000))
    assert answer.json() == {"taken": None, "read": 3_000_000, "caller": "address:unknown", "path": "/a b/"}


def test_another_body_is_small(port: int) -> None:
    with closing(begin(port, "/", SMALL_BODY_BYTES + 1)) as connection:
        assert status_of(connection) == 413


def test_a_connection_is_kept(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            answer = client.post("/take", content=bytes(200_000))
            assert answer.json()["taken"] == 200_000
            assert "Connection" not in answer.headers


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(function: Function, port: int) -> None:
    with closing(begin(port, length=1_000_000_001)) as connection:
        assert status_of(connection) == 413
    assert function.chunks == []


def test_a_body_that_becomes_too_large_is_refused(function: Function) -> None:
    with served(function, max_body_bytes="10") as port:
        answer = httpx.post(f"http://127.0.0.1:{port}/take", content=iter([b"eleven", b" bytes"]))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_who_is_refused_while_he_sends_hears_why(port: int) -> None:
    with closing(begin(port, "/refuse", 30_000_000)) as connection:
        for _ in range(30):  # all of it, as a client does that reads afterwards
            connection.sendall(bytes(1_000_000))
        with connection.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 422 Unprocessable Entity\r\n"
            assert b"They are wrong." in answer.read()


def test_who_asks_first_sends_nothing_if_he_is_refused(port: int) -> None:
    with closing(begin(port, "/refuse", Expect="100-continue")) as connection:
        assert status_of(connection) == 422
    with closing(begin(port, "/take", 3, Expect="100-continue")) as connection:
        assert status_of(connection) == 100
        connection.sendall(b"abc")
        with connection.makefile("rb") as answer:
            assert b"HTTP/1.1 200 OK\r\n" in {answer.readline(), answer.readline()}


def test_a_body_that_is_cut_off_is_an_error_of_its_own(function: Function, port: int) -> None:
    with closing(begin(port)) as connection:
        connection.sendall(b"some")
        wait_until(lambda: function.chunks)
    wait_until(lambda: function.errors)
    assert isinstance(function.errors[0], Problem)


def test_who_sends_too_slowly_is_told(function: Function) -> None:
    with served(function, LeastRate(bytes_a_second=1000, seconds=0.2, grace_seconds=0.1)) as port:
        with closing(begin(port)) as silent:
            assert status_of(silent) == 408
        with closing(begin(port, length=1_000_000)) as slow:
            while not function.errors[1:]:
                slow.sendall(b"x")
                time.sleep(0.01)
            assert status_of(slow) == 408
    assert [type(error).__name__ for error in function.errors] == ["TooSlow", "TooSlow"]


def test_who_sends_fast_enough_may_take_his_time(function: Function) -> None:
    least = LeastRate(bytes_a_second=1, seconds=0.5, grace_seconds=0)
    with served(function, least) as port, closing(begin(port, length=30)) as connection:
        for _ in range(30):
            connection.sendall(b"x")
            time.sleep(0.05)
        assert status_of(connection) == 200
    assert function.errors == []


def test_one_address_sends_only_so_many_at_once(function: Function, port: int) -> None:
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            stack.enter_context(begin(port)).sendall(b"x")
        wait_until(lambda: len(function.chunks) == AT_ONCE)
        answer = httpx.post(f"http://127.0.0.1:{port}/take", content=b"x", headers={CALLER_HEADER: "192.0.2.1"})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_uploads")
        assert answer.headers["Retry-After"]
        answer = httpx.post(f"http://127.0.0.1:{port}/take", content=b"x", headers={CALLER_HEADER: "192.0.2.2"})
        assert answer.status_code == 200
        assert httpx.get(f"http://127.0.0.1:{port}/", headers={CALLER_HEADER: "192.0.2.1"}).status_code == 200
    wait_until(lambda: len(function.errors) == AT_ONCE)
    answer = httpx.post(f"http://127.0.0.1:{port}/take", content=b"x", headers={CALLER_HEADER: "192.0.2.1"})
    assert answer.status_code == 200


def test_all_together_send_only_so_many_at_once(function: Function) -> None:
    with served(function, max_inflight="1") as port, closing(begin(port)) as connection:
        connection.sendall(b"x")
        wait_until(lambda: function.chunks)
        answer = httpx.post(f"http://127.0.0.1:{port}/take", content=b"x", headers={CALLER_HEADER: "192.0.2.2"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_hundreds_of_slow_ones_take_no_threads_and_keep_nobody_waiting(function: Function, port: int) -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        slow = [
            stack.enter_context(begin(port, caller=f"198.51.{number // 250}.{number % 250}")) for number in range(SLOW)
        ]
        for connection in slow:
            connection.sendall(b"x")
        wait_until(lambda: len(function.chunks) == SLOW)
        assert threading.active_count() <= before + ANSWERING
        answer = httpx.post(f"http://127.0.0.1:{port}/take", content=bytes(5_000_000), timeout=SECONDS)
        assert answer.json()["taken"] == 5_000_000


def test_nobody_passes_for_another_by_an_underline(port: int) -> None:
    headers = {"Countermark_Caller": "192.0.2.9", CALLER_HEADER: "192.0.2.1"}
    assert httpx.get(f"http://127.0.0.1:{port}/", headers=headers).json()["caller"] == "address:192.0.2.1"


def test_a_head_has_a_bound(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=SECONDS)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nX: " + b"x" * 20_000)
        assert status_of(connection) == 400


def test_a_body_that_is_coming_is_taken_to_its_end_when_it_leaves(function: Function) -> None:
    with served(function) as port:
        connection = begin(port, length=9)
        connection.sendall(b"first")
        wait_until(lambda: function.chunks)
        ended = threading.Thread(target=lambda: (time.sleep(0.7), connection.sendall(b"last")))
        ended.start()
    ended.join()
    with closing(connection):
        assert status_of(connection) == 200


def test_who_connects_in_the_moment_when_it_is_told_to_leave_is_answered(function: Function) -> None:
    with ExitStack() as stack:
        with served(function) as port:
            stack.enter_context(closing(begin(port, "/block", 1))).sendall(b"x")
            assert function.blocked.wait(SECONDS)
            newcomers = [stack.enter_context(closing(begin(port, "/", 1))) for _ in range(20)]
            for newcomer in newcomers:
                newcomer.sendall(b"x")
            threading.Timer(0.5, function.may_go.set).start()  # when it has been told
        assert [status_of(newcomer) for newcomer in newcomers] == [200] * 20
