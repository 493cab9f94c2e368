"""What the function upload receives, without a server: the body of a call, as its sender would send it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from typing import Any

from countermark.http.calls import Event
from countermark.jobs.opening import NewJob
from countermark.services import Services

from functions.upload.posted import receive_posted
from functions.upload.room import MIB, Room
from functions.upload.workers import Workers

PIECE_BYTES = 65_536


class AtOnce(Executor):
    """Does a call when it is asked to, in the same thread: what happens is the same each time."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*arguments, **named))
        except BaseException as error:
            future.set_exception(error)
        return future


def at_once(room: Room | None = None) -> Workers:
    """Workers that are no threads."""
    each = AtOnce()
    return Workers(
        storing=each, writing=each, unpacking=each, entries=asyncio.Semaphore(2), room=room or Room(disk=1024 * MIB)
    )


async def pieces(event: Event) -> AsyncIterator[bytes]:
    """The body of a call, as a network might cut it."""
    while piece := event.stream.read(PIECE_BYTES):
        yield piece


def receive(own: Services, event: Event, by: Workers | None = None) -> NewJob:
    """Receive the images of a call."""
    loop = asyncio.new_event_loop()  # asyncio.run would do something about signals
    try:
        return loop.run_until_complete(receive_posted(own, event, pieces(event), by or at_once()))
    finally:
        loop.close()
