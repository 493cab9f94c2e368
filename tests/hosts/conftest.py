"""Hosts for tests; where there can be none, the tests say why and are passed over."""

from collections.abc import Iterator

import pytest

from tests.hosts.network import Network, network, why_not


@pytest.fixture
def hosts() -> Iterator[Network]:
    """A network without hosts yet."""
    if reason := why_not():
        pytest.skip(reason)
    with network() as made:
        yield made
