"""Leases: while a function works on something, one thread of its process renews what it holds.

A process that dies renews nothing, and the sweep takes back what it held. One that is slow, but alive, keeps it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

_held: dict[str, Callable[[], object]] = {}
_lock = threading.Lock()
_thread: threading.Thread | None = None


@contextmanager
def kept(lease: str, renew: Callable[[], object], *, seconds: float) -> Iterator[None]:
    """Renew a lease of ``seconds`` every third of its time until the work inside ends, in whatever way."""
    with _lock:
        _held[lease] = renew
        _start(seconds)
    try:
        yield
    finally:
        with _lock:
            del _held[lease]


def _start(seconds: float) -> None:
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=_renew_all, args=(seconds / 3,), name="leases", daemon=True)
        _thread.start()


def _renew_all(pause: float) -> None:
    while True:
        time.sleep(pause)
        with _lock:
            held = list(_held.items())
        for lease, renew in held:
            try:
                renew()
            except Exception as error:  # a server is away: the next turn tries again
                log.warning("a lease could not be renewed", lease=lease, why=repr(error))
