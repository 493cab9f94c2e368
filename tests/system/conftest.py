"""What the tests of the running platform share."""

from typing import Any

import pytest

from tests.client import Caller
from tests.system.stream import Stream


@pytest.fixture(scope="session")
def caller(platform: Any) -> Caller:
    """Somebody who uses the platform."""
    return Caller(platform.url, (platform.secret("drop-access-key"), platform.secret("drop-secret-key")))


@pytest.fixture(scope="session")
def stream(platform: Any) -> Stream:
    """The platform's message stream."""
    return Stream(platform.secret("nats-url"))
