"""A small server in the place of the functions, which answers as told."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from infra.connector.verdict import PROBLEM
from infra.local.ports import pick_free_port


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is answered, and after how many seconds."""

    status: int = 200
    media_type: str = PROBLEM
    text: str = ""
    seconds: float = 0.0
    location: str = ""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that came."""

    function: str
    headers: dict[str, str]
    body: bytes
    time: float
    """When it came, by the monotonic clock."""

    @property
    def subject(self) -> str:
        """That of its message."""
        return self.headers["ce-subject"]


@dataclass
class Functions:
    """The functions of a test."""

    port: int = field(default_factory=pick_free_port)
    calls: list[Call] = field(default_factory=list)
    _replies: dict[str, list[Reply]] = field(default_factory=dict)

    def answer(self, subject: str, *replies: Reply) -> None:
        """How calls with a message of this subject, or below it, are answered; the last reply is for all others."""
        self._replies[subject] = list(replies)

    def calls_with(self, subject: str) -> list[Call]:
        """Those with a message of this subject, or below it."""
        return [call for call in self.calls if f"{call.subject}.".startswith(f"{subject}.")]

    @contextmanager
    def serve(self) -> Iterator[None]:
        """Answer, in a thread."""
        loop = asyncio.new_event_loop()
        app = web.Application()
        app.add_routes([web.post("/{function}", self._handle)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        loop.run_until_complete(runner.setup())
        loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", self.port).start())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _handle(self, request: web.Request) -> web.Response:
        call = Call(
            function=request.match_info["function"],
            headers=dict(request.headers),
            body=await request.read(),
            time=time.monotonic(),
        )
        self.calls.append(call)
        reply = self._reply(call)
        await asyncio.sleep(reply.seconds)
        headers = {"Location": reply.location} if reply.location else {}
        return web.Response(status=reply.status, text=reply.text, content_type=reply.media_type, headers=headers)

    def _reply(self, call: Call) -> Reply:
        for subject, replies in self._replies.items():
            if f"{call.subject}.".startswith(f"{subject}."):
                return replies.pop(0) if len(replies) > 1 else replies[0]
        return Reply()


def problem(status: int, text: str = "", seconds: float = 0.0) -> Reply:
    """A function's own word."""
    return Reply(status=status, text=text, seconds=seconds)


def somebody(status: int) -> Reply:
    """The word of what stands before a function."""
    return Reply(status=status, media_type="text/plain", text="404 page not found")


def subjects(calls: list[Call]) -> set[Any]:
    """The subjects of calls."""
    return {call.subject for call in calls}
