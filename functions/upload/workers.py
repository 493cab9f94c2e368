"""The threads that work for all uploads of this process, and the room that their files have."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from .room import Room

Answer = TypeVar("Answer")

STORING = 16
"""Objects that are being stored at a time; a job has fewer."""
WRITING = 4
"""Threads that write rows, each with a connection to the database."""
UNPACKING = 2
"""Threads that unpack ZIPs and write them to disk."""


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Who does what an event loop must not wait for."""

    storing: Executor
    writing: Executor
    unpacking: Executor
    entries: asyncio.Semaphore
    """Entries of ZIPs that are open at a time, each with what its unpacker keeps: up to 128 MiB."""
    room: Room


@lru_cache(maxsize=1)
def workers(disk: int) -> Workers:
    """Those of this process; ``disk`` are the bytes that temporary files may have together."""
    return Workers(
        storing=ThreadPoolExecutor(STORING, "storing"),
        writing=ThreadPoolExecutor(WRITING, "writing"),
        unpacking=ThreadPoolExecutor(UNPACKING, "unpacking"),
        entries=asyncio.Semaphore(UNPACKING),
        room=Room(disk=disk),
    )


async def done_by(executor: Executor, call: Callable[..., Answer], *arguments: object) -> Answer:
    """What a call returns, or raises, that is done by another thread."""
    return await asyncio.get_running_loop().run_in_executor(executor, call, *arguments)
