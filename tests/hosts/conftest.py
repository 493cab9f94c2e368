"""Hosts for tests; where there can be none, the tests say why and are passed over."""

from collections.abc import Iterator

import pytest

from infra.tools import ToolError, install
from tests.client import Caller, caller_of
from tests.hosts.network import Network, network, why_not
from tests.hosts.spread import Spread, spread_platform
from tests.platform_driver import Platform, temporary_platform
from tests.system.rows import Rows

CORES = 0.15
"""Of each host: little, so that a job takes seconds and the servers have cores left."""


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """A platform for more copies than this machine has cores."""
    with temporary_platform(DROP_QUIET="2", LINE_SHARE="16") as running:
        yield running


@pytest.fixture
def hosts() -> Iterator[Network]:
    """A network without hosts yet."""
    if reason := why_not():
        pytest.skip(reason)
    with network() as made:
        yield made


@pytest.fixture(scope="session")
def queue_proxy() -> None:
    """Knative's queue-proxy can be had."""
    try:
        install("queue-proxy")
    except ToolError as error:
        pytest.skip(f"queue-proxy can't be had: {error}")


@pytest.fixture
def spread(platform: Platform, hosts: Network, queue_proxy: None) -> Iterator[Spread]:  # noqa: ARG001
    """The platform with watermark on three hosts."""
    with spread_platform(platform, hosts, "abc", CORES) as running:
        yield running


@pytest.fixture
def rows(platform: Platform) -> Iterator[Rows]:
    """The platform's database."""
    rows = Rows(platform.database_url)
    yield rows
    rows.database.close()


@pytest.fixture
def caller(platform: Platform) -> Iterator[Caller]:
    """Somebody who uses the platform."""
    with caller_of(platform) as caller:
        yield caller
