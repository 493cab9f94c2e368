"""What the tests of the rows stand on: a real PostgreSQL, an object store and a stream in memory."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import pytest
import structlog
from countermark.jobs import keys, leases, outbox, sweeping

from functions.archive import ahead
from functions.reconcile import store, sweep
from tests.jobs.small import DAY
from tests.jobs.world import World, strictly


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The log of thousands of steps costs more than they do."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


class AtOnce(Executor):
    """Does in its caller's thread what it is given; a process that dies at it is dead."""

    def __init__(self, workers: int) -> None:
        pass

    def submit(self, run: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(run(*arguments, **named))
        except Exception as error:
            done.set_exception(error)
        return done


@pytest.fixture
def world(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The flow, in which nothing is random and no time passes by itself."""
    leases._start(3e8)  # they lapse when a step says so: the thread that renews them sleeps
    world = World(postgres)
    monkeypatch.setattr(keys, "secrets", world)
    monkeypatch.setattr(ahead, "ThreadPoolExecutor", AtOnce)
    for name in ("DATABASE_URL", "NATS_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.setenv(name, "-")
    for module in (sweeping, store, sweep):
        monkeypatch.setattr(module, "alone", strictly)
    for module, name in (
        (outbox, "OVERDUE_SECONDS"),
        (sweeping, "RESEND_SECONDS"),
        (store, "COMPARE_SECONDS"),
        (store, "GRACE_SECONDS"),
    ):
        monkeypatch.setattr(module, name, DAY // 2)
    yield world
    world.leave()
