"""The connector's surroundings."""

from collections.abc import Iterator

import pytest

from tests.connector.flow import Flow, make_flow


def pytest_itemcollected(item: pytest.Item) -> None:
    """The client leaves the socket of a connection that it gave up to the garbage collector, whenever that comes."""
    item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def flow() -> Iterator[Flow]:
    """A connector that runs for all tests; jobs tell them apart."""
    with make_flow() as flow:
        flow.start_connector()
        yield flow


@pytest.fixture
def own_flow() -> Iterator[Flow]:
    """A stream and functions of a test's own, without a connector yet."""
    with make_flow() as flow:
        yield flow
