"""The object store on a real server: whole objects or none, and errors that say what is the matter."""

import io
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from countermark.http.problems import Unavailable
from countermark.servers.objects import PART_BYTES, UPLOADS, NoSuchObject, ObjectStore, ObjectTooLarge


class Broken(Exception):
    """What goes wrong in the middle."""


@pytest.fixture(scope="module")
def store(platform: Any) -> Iterator[ObjectStore]:
    """The platform's object store."""
    keys = {"access_key": platform.secret("s3-access-key"), "secret_key": platform.secret("s3-secret-key")}
    store = ObjectStore(platform.store_url, region="us-east-1", **keys)
    yield store
    store.close()


@pytest.fixture
def key(store: ObjectStore) -> Iterator[str]:
    """A key that nobody else uses; its object is deleted afterwards."""
    key = f"tests/{uuid.uuid4().hex} ночь+1.jpg"
    yield key
    store.delete(UPLOADS, [key])


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES * 2 + 5])
def test_a_stream_is_stored_as_it_is(store: ObjectStore, key: str, size: int) -> None:
    data = os.urandom(size)
    store.write_stream(UPLOADS, key, io.BytesIO(data))
    assert store.read(UPLOADS, key, limit=size)[0] == data
    (listed,) = store.list(UPLOADS, key)
    assert (listed.key, listed.bytes, listed.etag) == (key, size, store.read(UPLOADS, key, limit=size)[1])


@pytest.mark.parametrize("small", [True, False])
def test_what_breaks_off_leaves_no_object(store: ObjectStore, key: str, small: bool) -> None:
    def break_off() -> None:
        with store.writer(UPLOADS, key, "application/zip", small=small) as file:
            file.write(os.urandom(PART_BYTES + 1))
            raise Broken

    with pytest.raises(Broken):
        break_off()
    assert not store.exists(UPLOADS, key)


@pytest.mark.parametrize("small", [True, False])
def test_what_is_written_is_there_when_it_is_closed(store: ObjectStore, key: str, small: bool) -> None:
    with store.writer(UPLOADS, key, "application/zip", small=small) as file:
        file.write(b"begin")
        file.write(b"end")
    with store.open(UPLOADS, key) as stored:
        assert stored.read() == b"beginend"


def test_an_object_over_the_limit_is_not_read(store: ObjectStore, key: str) -> None:
    store.write(UPLOADS, key, b"12345", "text/plain")
    assert store.read(UPLOADS, key, limit=5)[0] == b"12345"
    with pytest.raises(ObjectTooLarge):
        store.read(UPLOADS, key, limit=4)


def test_what_is_not_there_is_told_and_deleting_it_is_no_error(store: ObjectStore, key: str) -> None:
    with pytest.raises(NoSuchObject):
        store.read(UPLOADS, key, limit=1)
    with pytest.raises(NoSuchObject):
        store.copy(UPLOADS, key, UPLOADS, f"{key}.copy")
    assert not store.exists(UPLOADS, key)
    store.delete(UPLOADS, [key])


def test_a_store_that_is_away_is_told_as_such() -> None:
    away = ObjectStore("http://127.0.0.1:9", access_key="a", secret_key="b", region="us-east-1")
    with pytest.raises(Unavailable):
        away.exists(UPLOADS, "x")
    away.close()
