"""Use cases that are stopped, broken off or hindered between any two calls to a server.

Each runs in a greenlet of its own, so that one thread plays all processes and every order of their steps can be
repeated. A call to the database (a whole transaction), the store or the stream is a step; it may fail before or after
it had its effect.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import greenlet
from countermark.http.problems import Unavailable
from countermark.servers.connection import Connection
from countermark.servers.database import Answer, Database
from countermark.servers.objects import Object, Readable
from countermark.testing import MemoryObjects, MemoryStream

CRASH, AWAY, OURS = "crash", "away", "ours"
"""What can go wrong at a step: the process dies, the server's answer does not come, an error of ours."""


class Dead(BaseException):
    """The process was killed: nothing that it would do now happens."""


class OursError(Exception):
    """An error that nobody expected."""


class Attempt:
    """A use case under way in a process of its own."""

    def __init__(self, name: str, run: Callable[[], Any]) -> None:
        self.name = name
        self.steps = 0
        self.paused = self.dead = self.hindered = self.late = False
        self.ended = False
        self.answer: Any = None
        self.error: BaseException | None = None
        self._run = run
        self._greenlet = greenlet.greenlet(self._whole)
        self._greenlet.attempt = self
        self._stop = self._fault_at = -1
        self._fault = ""

    def __repr__(self) -> str:
        return f"<{self.name} at {self.steps}{' dead' * self.dead}{' ended' * self.ended}>"

    def go(self, stop: int | None = None, fault: tuple[int, str] | None = None) -> None:
        """Let it go on: for ``stop`` steps or to its end; ``fault`` says after how many steps what goes wrong."""
        self._stop = -1 if stop is None else self.steps + stop
        self._fault_at, self._fault = (self.steps + fault[0], fault[1]) if fault else (-1, "")
        self._greenlet.switch()

    def kill(self) -> None:
        """Its process dies."""
        self.dead = True
        if self._greenlet and not self.ended:
            self._greenlet.throw(Dead)
        self.ended = True

    def step(self, away: bool) -> None:
        """Called at every step."""
        if self.dead:
            raise Dead
        at = self.steps
        self.steps += 1
        if at == self._fault_at:
            self.hindered = True
            self._fail(self._fault)
        if away:
            self.hindered = True
            raise Unavailable("It is away.")
        if at == self._stop:
            self.paused = True
            loop = asyncio._get_running_loop()  # others have loops of their own in the meantime
            asyncio._set_running_loop(None)
            try:
                greenlet.getcurrent().parent.switch()
            finally:
                asyncio._set_running_loop(loop)
            self.paused = False
            if self.dead:
                raise Dead

    def _fail(self, fault: str) -> None:
        if fault == CRASH:
            self.dead = True
            raise Dead
        if fault == AWAY:
            raise Unavailable("Its answer is lost.")
        raise OursError

    def _whole(self) -> None:
        try:
            self.answer = self._run()
        except BaseException as error:
            self.error = error
        self.ended = True
        self.paused = False


def step(away: bool = False) -> None:
    """Whoever is an attempt is at a step; the test itself goes on."""
    attempt: Attempt | None = getattr(greenlet.getcurrent(), "attempt", None)
    if attempt is not None:
        attempt.step(away)


class Servers:
    """Which servers are away."""

    def __init__(self) -> None:
        self.away: set[str] = set()

    @contextmanager
    def around(self, name: str) -> Iterator[None]:
        """Two steps: before the effect and after it."""
        step(name in self.away)
        yield
        step()


class SteppedDatabase(Database):
    """A statement by itself or a transaction is one call: what ends inside it has not been."""

    def __init__(self, url: str, servers: Servers) -> None:
        super().__init__(url)
        self._servers = servers
        self.busy = False

    def _ask(self, ask: Callable[[Connection], Answer]) -> Answer:
        assert not self.busy, "a statement of its own inside a transaction"
        with self._servers.around("database"):
            return super()._ask(ask)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._servers.around("database"), super().transaction() as connection:
            assert not self.busy, "a transaction inside another one"
            self.busy = True
            try:
                yield connection
            finally:
                self.busy = False


class SteppedObjects(MemoryObjects):
    """The store; it is not asked inside a transaction, which would keep the rows of a job locked for so long."""

    def __init__(self, servers: Servers, database: SteppedDatabase) -> None:
        super().__init__()
        self._servers, self._database = servers, database
        self._time = 0
        self.watch: Callable[[str, str, str, str], None] = lambda *_: None
        """Told of each object that is overwritten or deleted: which of the two, bucket, key and etag."""

    @contextmanager
    def _call(self) -> Iterator[None]:
        assert not self._database.busy, "the store is asked inside a transaction"
        with self._servers.around("objects"):
            yield

    def read(self, bucket: str, key: str, *, limit: int, etag: str | None = None) -> tuple[bytes, str]:
        with self._call():
            return super().read(bucket, key, limit=limit, etag=etag)

    def stat(self, bucket: str, key: str) -> Object:
        with self._call():
            return super().stat(bucket, key)

    def chunks(self, bucket: str, key: str) -> Iterator[bytes]:
        with self._call():
            data = list(super().chunks(bucket, key))
        yield from data

    def write(self, bucket: str, key: str, data: bytes, media_type: str) -> str:
        with self._call():
            self._tell("overwritten", bucket, key)
            return super().write(bucket, key, data, media_type)

    def write_stream(
        self, bucket: str, key: str, stream: Readable, media_type: str = "application/octet-stream"
    ) -> tuple[str, int]:
        return super().write_stream(bucket, key, stream, media_type)  # it calls write

    def copy(self, bucket: str, key: str, to_bucket: str, to_key: str, *, etag: str | None = None) -> str:
        return super().copy(bucket, key, to_bucket, to_key, etag=etag)  # it calls write

    def list(self, bucket: str, prefix: str = "") -> Iterator[Object]:
        with self._call():
            items = [*super().list(bucket, prefix)]
        yield from items

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        with self._call():
            every = [*keys]
            for key in every:
                self._tell("deleted", bucket, key)
            super().delete(bucket, every)

    def delete_if(self, bucket: str, key: str, etag: str, *, time: int | None = None) -> bool:
        with self._call():
            self._tell("deleted", bucket, key, etag, time)
            return super().delete_if(bucket, key, etag, time=time)

    def _put(self, bucket: str, key: str, etag: str, data: bytes, media_type: str) -> str:
        super()._put(bucket, key, etag, data, media_type)
        stored = self.objects[bucket, key]
        self._time = max(self._time + 1, stored.known.time)  # no two at one time
        self.objects[bucket, key] = replace(stored, known=replace(stored.known, time=self._time))
        return etag

    def _tell(self, what: str, bucket: str, key: str, etag: str | None = None, time: int | None = None) -> None:
        stored = self.objects.get((bucket, key))
        if stored and etag in (None, stored.known.etag) and time in (None, stored.known.time):
            self.watch(what, bucket, key, stored.known.etag)


class SteppedStream(MemoryStream):
    """The stream."""

    def __init__(self, servers: Servers) -> None:
        super().__init__()
        self._servers = servers

    def publish_all(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> list[bool]:
        with self._servers.around("stream"):
            return super().publish_all(messages)
