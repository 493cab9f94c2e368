"""The whole flow with fewer sessions of the database than there are connections, as behind a cluster's pooler."""

import uuid

import pytest

from tests.client import Caller, picture, unpack
from tests.platform_driver import Platform
from tests.system.pooler import why_not
from tests.system.workshop import Workshop


@pytest.fixture(scope="module")
def place(workshop: Workshop) -> Platform:
    """A platform with a pooler before its database, if there is one here."""
    if not workshop.is_pooled:
        pytest.skip(str(why_not()))
    return workshop.platform


def test_jobs_go_through_a_pooler(caller: Caller) -> None:
    folder = uuid.uuid4().hex
    jobs = [caller.upload([(f"{n}.jpg", picture((60 + n, 40))) for n in range(12)]) for _ in range(4)]
    caller.drop(f"{folder}/a.jpg", picture())
    for job in jobs:
        assert caller.wait(job)["done"] == 12
        assert len(caller.archive(job)) == 13
    assert "a.jpg" in unpack(caller.result(f"{folder}.zip"))
    for job in jobs:
        caller.delete(job)
