"""The store in memory keeps the contract of the real ones, as far as no server is asked by other means."""

import inspect

import pytest
from countermark.testing import MemoryObjects

from tests.contracts import test_object_store as contract
from tests.contracts.test_object_store import key as key  # a fixture of these tests, with the store of this module


@pytest.fixture
def store() -> MemoryObjects:
    """In place of a real one."""
    return MemoryObjects()


for _name, _test in vars(contract).items():
    if _name.startswith("test_") and "server" not in inspect.signature(_test).parameters:
        globals()[_name] = _test
del globals()["test_a_long_stream_takes_the_memory_of_few_parts_and_one_thread"]
