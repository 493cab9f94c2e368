"""The running platforms for all tests that need one; each is started once."""

from collections.abc import Iterator

import pytest

from tests.platform_driver import Platform, temporary_platform
from tests.system.workshop import Workshop, open_workshop


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two lanes for pytest-xdist: the tests of the platforms that run for all of them, and the rest."""
    for item in items:
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
