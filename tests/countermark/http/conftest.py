"""What the tests of the servers share: both kinds are told the same, and do the same."""

from collections.abc import Callable
from typing import Any

import pytest
from countermark.http.buffering import BufferingServer
from countermark.http.leaving import Leaving, Server
from countermark.http.serving import Serving
from countermark.http.streaming import StreamingServer

Make = Callable[[Any, Serving, Leaving], Server]


def buffering(app: Any, serving: Serving, leaving: Leaving) -> Server:
    return BufferingServer(app, serving, leaving)


def streaming(app: Any, serving: Serving, leaving: Leaving) -> Server:
    return StreamingServer(app, lambda _event: None, serving, leaving)


@pytest.fixture(params=[buffering, streaming])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a server of each kind."""
    made: Make = request.param
    return made
