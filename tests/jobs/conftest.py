"""What the tests of the rows stand on: a real PostgreSQL, an object store and a stream in memory."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from countermark.servers.database import Database
from countermark.services import Services
from countermark.testing import MemoryObjects, MemoryStream

from tests.jobs.small import clean, small_settings
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
