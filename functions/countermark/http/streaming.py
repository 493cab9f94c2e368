"""aiohttp around a function that takes bodies while they come.

Each body is a coroutine, so hundreds of slow ones cost little. When the receiver has taken one, the application
answers, as it does to any other request, in one of a few threads. So what a receiver raises becomes an answer there,
also while the rest of the body is still coming: that is read and dropped for a moment, so that the answer reaches the
sender, and then the connection is closed.
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from aiohttp import web
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from countermark.http.body import Body, LeastRate, too_large
from countermark.http.calls import Event, Receive, owner_of
from countermark.http.leaving import LOOK_SECONDS, NEWCOMER_SECONDS, Leaving
from countermark.http.problems import TooManyUploads, Unavailable
from countermark.http.request import BEGAN, RECEIVED
from countermark.http.serving import IDLE_SECONDS, Serving, connection_limit

ANSWERING = 8
"""Threads that answer."""
SMALL_BODY_BYTES = 64 * 1024 * 1024
"""Of a request whose body no receiver takes: a list of many files, with options."""
IN_MEMORY_BYTES = 256 * 1024
"""Of such a body; a larger one is in a temporary file."""
LINGER_SECONDS = 10.0
"""For so long the rest of a body is dropped that was answered before its end."""

AT_ONCE_SECONDS = 0.01
"""aiohttp takes 0 for as long as you like."""

Receiver = Callable[[Event], Receive | None]


class StreamingServer:
    """A server that listens already; countermark.http.leaving says what it can be told."""

    def __init__(
        self, app: Flask, receiver: Receiver, serving: Serving, leaving: Leaving, least: LeastRate | None = None
    ) -> None:
        """Listens.

        Args:
            least: how fast bodies must come.
        """
        self._app, self._receiver, self._serving, self._leaving = app, receiver, serving, leaving
        self._least = least or LeastRate()
        self._answering = ThreadPoolExecutor(ANSWERING, "answering")
        self._bodies = Counter[str]()
        """How many are coming, by caller."""
        self._in_flight = 0
        self._answered_at = 0.0
        self._ended = False
        self._told = asyncio.Event()
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        connection_limit()  # as many files as this process may have
        family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
        self._socket = socket.create_server((serving.host, serving.port), family=family, backlog=1024)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._socket.getsockname()[1]
        return port

    def run(self) -> None:
        """Serve until `drain` or `end` ends it, or Ctrl-C."""
        with self._runner, suppress(KeyboardInterrupt):
            self._runner.run(self._serve())

    def drain(self) -> None:
        """Stop accepting, wait until every answer is sent, and end; this itself returns at once."""
        self._leaving.begun = True
        self._wake()

    def end(self) -> None:
        """End, from any thread, whatever is in flight."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._told.set)

    async def _serve(self) -> None:
        server = web.Server(
            self._answer,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
        )
        runner = web.ServerRunner(server, shutdown_timeout=LINGER_SECONDS)
        await runner.setup()
        site = web.SockSite(runner, self._socket, backlog=1024)
        await site.start()
        await self._told.wait()
        self._loop.remove_reader(self._socket)
        await asyncio.sleep(0)  # asyncio loses a connection that it has accepted when the listener is closed just then
        await site.stop()
        self._answered_at = self._loop.time()  # who has just connected may still send a request
        while not self._ended and self._is_busy():
            await asyncio.sleep(LOOK_SECONDS)
        if self._ended:
            await server.shutdown(AT_ONCE_SECONDS)
        await runner.cleanup()
        await asyncio.sleep(0)  # connections that were closed are let go of

    def _is_busy(self) -> bool:
        return self._in_flight > 0 or self._loop.time() - self._answered_at < NEWCOMER_SECONDS

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._in_flight += 1
        try:
            with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
                environ = {**environ_of(request), BEGAN: time.perf_counter()}
                if request.body_exists:
                    environ[RECEIVED] = taken = asyncio.create_task(self._take(request, file))
                    await asyncio.wait([taken])
                environ |= {"wsgi.input": file, "CONTENT_LENGTH": str(file.tell())}
                file.seek(0)
                answer = await self._loop.run_in_executor(self._answering, self._call, environ)
        finally:
            self._in_flight -= 1
            self._answered_at = self._loop.time()
        response = web.Response(status=answer.status_code, body=answer.get_data())
        response.headers.extend((name, value) for name, value in answer.headers if name != "Content-Length")
        if self._leaving.begun or not request.content.is_eof():
            response.force_close()
        return response

    def _call(self, environ: dict[str, Any]) -> Response:
        return Response.from_app(self._app, environ, buffered=True)

    async def _take(self, request: web.BaseRequest, file: IO[bytes]) -> Any:
        """What the receiver makes of the body; without one it goes to the file."""
        event = event_of(request)
        with self._counted(owner_of(event)):
            receive = self._receiver(event)
            limit = self._serving.max_body_bytes
            if receive is None:
                limit = min(limit, SMALL_BODY_BYTES)
            if (request.content_length or 0) > limit:
                raise too_large(limit)
            chunks = Body(_Source(request), limit=limit, least=self._least).chunks()
            if receive is not None:
                return await receive(chunks)
            async for chunk in chunks:
                file.write(chunk)
        return None

    @contextmanager
    def _counted(self, caller: str) -> Iterator[None]:
        """Count a body that is coming.

        Raises:
            TooManyUploads: the caller sends too many at once.
            Unavailable: all together do.
        """
        if self._bodies[caller] >= self._serving.max_inflight_per_caller:
            raise TooManyUploads
        if self._bodies.total() >= self._serving.max_inflight:
            raise Unavailable("There are too many uploads just now.")
        self._bodies[caller] += 1
        try:
            yield
        finally:
            self._bodies[caller] -= 1
            if not self._bodies[caller]:
                del self._bodies[caller]


class _Source:
    """The body of a request; its sender is told to go on when it is asked for."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._waits = request.headers.get("Expect", "").lower() == "100-continue"

    async def readany(self) -> bytes:
        """The next bytes.

        Raises:
            OSError, ValueError: they will not come.
        """
        if self._waits:
            self._waits = False
            await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._request.writer.output_size = 0  # of the answer nothing is sent yet
        try:
            return await self._request.content.readany()
        except web.RequestPayloadError as error:
            raise ValueError(str(error)) from error


def event_of(request: web.BaseRequest) -> Event:
    """A request as a handler gets it, whose body is still to come."""
    headers = Headers(list(request.headers.items()))
    return Event(method=request.method, path=request.path, query=request.query, headers=headers, stream=BytesIO())


def environ_of(request: web.BaseRequest) -> dict[str, Any]:
    """A request without its body as an application gets it (PEP 3333)."""
    host, port = request.host.partition(":")[::2]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.rel_url.raw_path).decode("latin-1"),
        "QUERY_STRING": request.rel_url.raw_query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.remote or "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if "_" in name or name.lower() in {"content-length", "transfer-encoding"}:
            continue  # one with an underline would become another's, such as that of the caller
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
