"""What the tests of the running platform share."""

from collections.abc import Iterator

import pytest
from countermark.servers.stream import Publisher
from countermark.services import Services
from countermark.settings import Settings
from pydantic import SecretStr

from tests.client import Caller, caller_of
from tests.platform_driver import Platform
from tests.system.objects import Objects
from tests.system.rows import Rows
from tests.system.stream import Stream


@pytest.fixture(scope="module")
def place(platform: Platform) -> Platform:
    """The platform that a module's tests are about: the ordinary one, or what the module says."""
    return platform


@pytest.fixture(scope="module")
def caller(place: Platform) -> Iterator[Caller]:
    """Somebody who uses the platform."""
    with caller_of(place) as caller:
        yield caller


@pytest.fixture(scope="module")
def stream(place: Platform) -> Stream:
    """The platform's message stream."""
    return Stream(place.secret("nats-url"))


@pytest.fixture(scope="module")
def rows(place: Platform) -> Iterator[Rows]:
    """The platform's database."""
    rows = Rows(place.database_url)
    yield rows
    rows.database.close()


@pytest.fixture(scope="module")
def objects(place: Platform) -> Iterator[Objects]:
    """What is in the platform's object store."""
    objects = Objects(place.store_url, place.secret("s3-access-key"), place.secret("s3-secret-key"))
    yield objects
    objects.store.close()


@pytest.fixture(scope="module")
def services(rows: Rows, objects: Objects, stream: Stream) -> Iterator[Services]:
    """What a function of the platform works with, for a test that is one."""
    settings = Settings(
        nats_url=SecretStr(stream.url),
        database_url=SecretStr(rows.url),
        s3_endpoint=objects.url,
        s3_access_key=SecretStr(objects.access_key),
        s3_secret_key=SecretStr(objects.secret_key),
    )
    publisher = Publisher(stream.url)
    yield Services(settings=settings, database=rows.database, objects=objects.store, publisher=publisher)
    publisher.close()
