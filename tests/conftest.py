"""What tests of several rooms need: running platforms, and a database with a store and a stream in memory."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress

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


LANES = ("starts", "platform", "web", "workshop")
"""They begin first and at once, for they wait more than they work. Beside them come the other modules."""
LONG = (
    "tests/connector/test_delivery.py",
    "tests/mutants/test_faults.py",
    "tests/images/test_fronts.py",
    "tests/images/test_contexts.py",
    "tests/jobs/test_state_machine.py",
)
"""The first of those: one that came last would keep everybody waiting."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Lanes for pytest-xdist: what shares a running platform, or starts its own, is one after the other."""
    if item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(lane_of(item)))


def lane_of(item: pytest.Item) -> str:
    """The lane of the platform that a test stands on; every other module is a lane of its own."""
    fixtures = item.fixturenames if isinstance(item, pytest.Function) else []
    module = item.nodeid.partition("::")[0]
    if "workshop" in fixtures:
        return "workshop"
    if "platform" in fixtures:
        return "web" if module.startswith("tests/web/") else "platform"
    return module


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the lanes in order: pytest-xdist gives a lane to whoever has nothing to do."""
    order = [*LANES, *LONG]
    lanes = [marker.args[0] for item in items if (marker := item.get_closest_marker("xdist_group"))]
    places = [order.index(lane) if lane in order else len(order) for lane in lanes]
    items[:] = [item for _, item in sorted(zip(places, items, strict=True), key=lambda pair: pair[0])]


@pytest.fixture(scope="module", autouse=True)
def no_loop_was_left() -> None:
    """A module that leaves a loop running is told by the next one, whatever that wants to do."""
    with suppress(RuntimeError):
        loop = asyncio.get_running_loop()
        pytest.fail(f"{loop} still runs in this thread")


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The platform as people start it; drop folders are complete soon, so that tests need not wait."""
    with temporary_platform(DROP_QUIET="2") as running:
        yield running


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A second one, for tests that need assets, short leases, low limits or a pooler."""
    with open_workshop(tmp_path_factory.mktemp("assets")) as running:
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
