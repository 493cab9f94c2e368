"""The running platform for all tests that need one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.platform_driver import Platform, temporary_platform


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The platform, started once for all tests; drop folders are complete soon, so that tests need not wait."""
    with temporary_platform(DROP_QUIET="2") as running:
        yield running


@pytest.fixture(scope="session")
def make_platform() -> Callable[..., AbstractContextManager[Platform]]:
    """Starts a platform with settings of its own: ``with make_platform(JOB_LIFETIME="5") as platform``."""
    return temporary_platform
