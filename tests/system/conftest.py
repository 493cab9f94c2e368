"""What the tests of the running platform share."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.client import Caller, caller_of
from tests.system.stream import Stream


@pytest.fixture(scope="session")
def caller(platform: Any) -> Iterator[Caller]:
    """Somebody who uses the platform."""
    with caller_of(platform) as caller:
        yield caller


@pytest.fixture(scope="session")
def stream(platform: Any) -> Stream:
    """The platform's message stream."""
    return Stream(platform.secret("nats-url"))
