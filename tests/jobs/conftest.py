"""What the tests of the rows stand on: a real PostgreSQL, an object store and a stream in memory."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from countermark.jobs import keys, leases, outbox, sweeping
from countermark.servers.database import Database
from countermark.services import Services
from countermark.testing import MemoryObjects, MemoryStream

from functions.reconcile import store, sweep
from tests.jobs.small import DAY, clean, small_settings
from tests.jobs.world import World, strictly
from tests.own_postgres import running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a database, for all tests."""
    with running_postgres() as url:
        yield url


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    """A database without a row."""
    database = Database(postgres)
    clean(database)
    yield database
    database.close()


@pytest.fixture
def own(database: Database, postgres: str) -> Services:
    """What the use cases are handed."""
    return Services(
        settings=small_settings(postgres), database=database, objects=MemoryObjects(), publisher=MemoryStream()
    )


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The log of thousands of steps costs more than they do."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def world(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The flow, in which nothing is random and no time passes by itself."""
    leases._start(3e8)  # they lapse when a step says so: the thread that renews them sleeps
    world = World(postgres)
    monkeypatch.setattr(keys, "secrets", world)
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
