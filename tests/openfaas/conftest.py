"""OpenFaaS for tests; where it can't be had, the tests are passed over with the reason."""

from collections.abc import Iterator

import pytest

from tests.client import Caller
from tests.hosts import network as hosts
from tests.openfaas import programs
from tests.openfaas.installation import Installation, installed
from tests.platform_driver import temporary_platform
from tests.system.rows import Rows


@pytest.fixture(scope="session")
def openfaas() -> Iterator[Installation]:
    """OpenFaaS with every function of stack.yml."""
    if reason := programs.why_not(*programs.MAKERS) or hosts.why_not():
        pytest.skip(reason)
    with (
        temporary_platform(DROP_QUIET="2") as platform,
        hosts.network() as network,
        installed(platform, network) as made,
    ):
        yield made


@pytest.fixture
def caller(openfaas: Installation) -> Caller:
    """Somebody who comes by Countermark's gateway."""
    return openfaas.caller


@pytest.fixture
def rows(openfaas: Installation) -> Iterator[Rows]:
    """The platform's database."""
    rows = Rows(openfaas.platform.database_url)
    yield rows
    rows.database.close()
