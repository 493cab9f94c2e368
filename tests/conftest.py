"""What tests of several rooms need: running platforms, and a database with a store and a stream in memory."""

import os
from collections.abc import Iterator

import pytest
from countermark.servers.database import Database
from countermark.services import Services
from countermark.testing import MemoryObjects, MemoryStream

from tests.jobs.small import clean, small_settings
from tests.own_postgres import own_database, running_postgres
from tests.platform_driver import Platform, temporary_platform
from tests.system.workshop import Workshop, open_workshop

POSTGRES = "TEST_POSTGRES"
"""The address of a server that runs already; each run of tests makes a database of its own in it."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Two lanes for pytest-xdist: the tests of the platforms that run for all of them, and the rest."""
    fixtures = item.fixturenames if isinstance(item, pytest.Function) else []
    item.add_marker(pytest.mark.xdist_group("platform" if "platform" in fixtures else "rest"))


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The platform as people start it; drop folders are complete soon, so that tests need not wait."""
    with temporary_platform(DROP_QUIET="2") as running:
        yield running


@pytest.fixture(scope="session")
def workshop(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A second one, for tests that need assets, short leases, low limits or a pooler."""
    with open_workshop(tmp_path_factory.mktemp("assets"), platform) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a database, for all tests."""
    server = os.environ.get(POSTGRES)
    with own_database(server) if server else running_postgres() as url:
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
