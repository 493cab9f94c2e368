"""What is rendered for each platform."""

import pytest

from infra.kubernetes.target import Target
from tests.kubernetes.rendered import Rendered, targets


@pytest.fixture(params=targets().values(), ids=targets().keys(), scope="session")
def rendered(request: pytest.FixtureRequest) -> Rendered:
    """A deployment of each shape."""
    target: Target = request.param
    return Rendered(target)
