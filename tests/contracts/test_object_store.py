"""The object store's contract, on every store alike: whole objects or none, versions, errors that are told apart."""

import hashlib
import io
import os
import threading
import tracemalloc
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import boto3
import httpx
import pytest
from botocore.config import Config
from countermark.http.problems import Unavailable
from countermark.servers.objects import (
    COPY_BYTES,
    DROP,
    PART_BYTES,
    RESULTS,
    UPLOADS,
    NoSuchObject,
    ObjectStore,
    ObjectTooLarge,
    Refused,
    Replaced,
)

from infra.local.stores import Store
from tests.contracts.conftest import Server

OTHER = "0" * 32
"""The etag of no object here."""


class BrokenError(Exception):
    """What goes wrong in the middle."""


class Breaking:
    """A stream that breaks after some bytes."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int, /) -> bytes:
        if not self._left:
            raise BrokenError
        size = min(size, self._left)
        self._left -= size
        return bytes(size)


class Trickling(io.BytesIO):
    """A stream that gives less than it is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 700_001))


@pytest.fixture
def key(store: ObjectStore) -> Iterator[str]:
    """A key that nobody else uses; its object is deleted afterwards."""
    key = f"tests/{uuid.uuid4().hex} ночь+1%2F.jpg"
    yield key
    for bucket in (UPLOADS, RESULTS):
        store.delete(bucket, [key])


def raw(server: Server) -> Any:
    """A bare client, for what our own never does."""
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.administrator.access_key,
        aws_secret_access_key=server.administrator.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES * 2 + 5])
def test_a_stream_is_stored_as_it_is(store: ObjectStore, key: str, size: int) -> None:
    data = os.urandom(size)
    etag, count = store.write_stream(UPLOADS, key, io.BytesIO(data))
    assert count == size
    assert store.read(UPLOADS, key, limit=size) == (data, etag)
    assert b"".join(store.chunks(UPLOADS, key)) == data
    (listed,) = store.list(UPLOADS, key)
    assert (listed.key, listed.bytes, listed.etag) == (key, size, etag)
    assert store.stat(UPLOADS, key) == listed


def test_a_stream_may_give_less_than_it_is_asked_for(store: ObjectStore, key: str) -> None:
    data = os.urandom(PART_BYTES + 12_345)
    assert store.write_stream(UPLOADS, key, Trickling(data))[1] == len(data)
    assert store.read(UPLOADS, key, limit=len(data))[0] == data


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES * 3 + 1])
def test_a_stream_that_breaks_leaves_nothing(store: ObjectStore, server: Server, key: str, size: int) -> None:
    with pytest.raises(BrokenError):
        store.write_stream(UPLOADS, key, Breaking(size))
    with pytest.raises(NoSuchObject):
        store.stat(UPLOADS, key)
    assert "Uploads" not in raw(server).list_multipart_uploads(Bucket=UPLOADS, Prefix=key)


def test_a_long_stream_takes_the_memory_of_few_parts_and_one_thread(store: ObjectStore, key: str) -> None:
    threads: set[int] = set()

    class Long(Breaking):
        def read(self, size: int, /) -> bytes:
            threads.add(threading.active_count())
            return super().read(size) if self._left else b""

    before = threading.active_count()
    tracemalloc.start()
    store.write_stream(UPLOADS, key, Long(PART_BYTES * 8))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < PART_BYTES * 3.5
    assert max(threads) <= before + 1


def test_a_type_is_kept_by_the_object_and_by_its_copies(store: ObjectStore, server: Server, key: str) -> None:
    store.write(UPLOADS, key, b"1", "image/x-one")
    store.copy(UPLOADS, key, RESULTS, key)
    assert raw(server).head_object(Bucket=RESULTS, Key=key)["ContentType"] == "image/x-one"


@pytest.mark.parametrize(
    ("name", "plain"),
    [("countermark-2026.zip", "countermark-2026.zip"), ('a; "b" 100%\\ночь é.jpg', "a; _b_ 100______ _.jpg")],
)
def test_a_link_names_its_file_for_every_client(
    store: ObjectStore, server: Server, key: str, name: str, plain: str
) -> None:
    store.write(RESULTS, key, b"data", "image/jpeg")
    for inline, kind in ((True, "inline"), (False, "attachment")):
        answer = httpx.get(store.link_to_get(server.url, RESULTS, key, seconds=60, name=name, inline=inline))
        assert answer.content == b"data"
        named = f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
        assert answer.headers["Content-Disposition"] == named


def test_an_object_over_the_limit_is_not_read(store: ObjectStore, key: str) -> None:
    store.write(UPLOADS, key, b"12345", "text/plain")
    assert store.read(UPLOADS, key, limit=5)[0] == b"12345"
    with pytest.raises(ObjectTooLarge):
        store.read(UPLOADS, key, limit=4)


def test_only_the_version_that_was_asked_for_is_read(store: ObjectStore, key: str) -> None:
    first = store.write(UPLOADS, key, b"first", "text/plain")
    assert store.read(UPLOADS, key, limit=9, etag=first) == (b"first", first)
    second = store.write(UPLOADS, key, b"second", "text/plain")
    with pytest.raises(Replaced):
        store.read(UPLOADS, key, limit=9, etag=first)
    assert store.read(UPLOADS, key, limit=9, etag=second) == (b"second", second)


def test_only_the_version_that_was_asked_for_is_copied(store: ObjectStore, key: str) -> None:
    first = store.write(UPLOADS, key, b"first", "text/plain")
    etag = store.copy(UPLOADS, key, RESULTS, key, etag=first)
    assert store.read(RESULTS, key, limit=9) == (b"first", etag)
    store.write(UPLOADS, key, b"second", "text/plain")
    with pytest.raises(Replaced):
        store.copy(UPLOADS, key, RESULTS, key, etag=first)
    assert store.read(RESULTS, key, limit=9)[0] == b"first"
    assert store.copy(UPLOADS, key, RESULTS, key) == store.stat(RESULTS, key).etag
    assert store.read(RESULTS, key, limit=9)[0] == b"second"


def test_an_object_that_came_in_parts_is_one_version_too(store: ObjectStore, key: str) -> None:
    etag, size = store.write_stream(UPLOADS, key, io.BytesIO(bytes(PART_BYTES + 1)))
    assert store.read(UPLOADS, key, limit=size, etag=etag)[1] == etag
    copy = store.copy(UPLOADS, key, RESULTS, key, etag=etag)
    assert store.read(RESULTS, key, limit=size, etag=copy)[1] == copy
    assert store.delete_if(UPLOADS, key, etag)


def test_a_large_object_is_copied_in_parts(store: ObjectStore, server: Server, key: str) -> None:
    size = COPY_BYTES + 4321
    media_type = "image/x-large"
    etag, _ = store.write_stream(UPLOADS, key, io.BytesIO(os.urandom(1 << 20) * 64 + bytes(4321)), media_type)
    copy = store.copy(UPLOADS, key, RESULTS, key, etag=etag)
    head = raw(server).head_object(Bucket=RESULTS, Key=key)
    assert (head["ContentLength"], head["ETag"].strip('"'), head["ContentType"]) == (size, copy, media_type)
    sums = [hashlib.sha256() for _ in range(2)]
    for total, bucket in zip(sums, (UPLOADS, RESULTS), strict=True):
        for chunk in store.chunks(bucket, key):
            total.update(chunk)
    assert sums[0].digest() == sums[1].digest()
    with pytest.raises(Replaced):
        store.copy(UPLOADS, key, RESULTS, key, etag=OTHER)


def test_an_object_is_deleted_only_in_the_version_that_is_meant(store: ObjectStore, key: str) -> None:
    assert not store.delete_if(UPLOADS, key, OTHER)
    first = store.write(UPLOADS, key, b"first", "text/plain")
    second = store.write(UPLOADS, key, b"second", "text/plain")
    assert not store.delete_if(UPLOADS, key, first)
    assert store.read(UPLOADS, key, limit=9)[0] == b"second"
    assert store.delete_if(UPLOADS, key, second)
    with pytest.raises(NoSuchObject):
        store.stat(UPLOADS, key)
    assert not store.delete_if(UPLOADS, key, second)


def test_the_same_bytes_once_more_are_another_version_if_the_time_counts(store: ObjectStore, key: str) -> None:
    etag = store.write(UPLOADS, key, b"same", "text/plain")
    time = store.stat(UPLOADS, key).time
    assert not store.delete_if(UPLOADS, key, etag, time=time - 1)
    assert not store.delete_if(UPLOADS, key, OTHER, time=time)
    assert store.stat(UPLOADS, key).time == time
    assert store.delete_if(UPLOADS, key, etag, time=time)
    with pytest.raises(NoSuchObject):
        store.stat(UPLOADS, key)


def test_what_stores_do_about_a_condition_on_a_deletion(server: Server, store: ObjectStore, key: str) -> None:
    """The window that delete_if speaks of is there on MinIO, and not on SeaweedFS."""
    store.write(UPLOADS, key, b"first", "text/plain")
    client = raw(server)
    if server.store is Store.MINIO:
        client.delete_object(Bucket=UPLOADS, Key=key, IfMatch=f'"{OTHER}"')
        with pytest.raises(NoSuchObject):
            store.stat(UPLOADS, key)
    else:
        with pytest.raises(client.exceptions.ClientError, match="PreconditionFailed"):
            client.delete_object(Bucket=UPLOADS, Key=key, IfMatch=f'"{OTHER}"')
        assert store.stat(UPLOADS, key).bytes == 5


def test_what_is_not_there_is_told_and_deleting_it_is_no_error(store: ObjectStore, key: str) -> None:
    for ask in (
        lambda: store.read(UPLOADS, key, limit=1),
        lambda: store.read(UPLOADS, key, limit=1, etag=OTHER),
        lambda: store.stat(UPLOADS, key),
        lambda: next(store.chunks(UPLOADS, key)),
        lambda: store.copy(UPLOADS, key, UPLOADS, f"{key}.copy"),
        lambda: store.copy(UPLOADS, key, UPLOADS, f"{key}.copy", etag=OTHER),
    ):
        with pytest.raises(NoSuchObject):
            ask()
    store.delete(UPLOADS, [key])
    assert list(store.list(UPLOADS, key)) == []


def test_many_objects_are_listed_and_deleted(store: ObjectStore) -> None:
    prefix = f"tests/{uuid.uuid4().hex}/"
    names = [f"{prefix}{number:04}" for number in range(1030)]
    for name in names:
        store.write(UPLOADS, name, b"", "text/plain")
    assert [each.key for each in store.list(UPLOADS, prefix)] == names
    store.delete(UPLOADS, iter(names))
    assert list(store.list(UPLOADS, prefix)) == []


def test_keys_that_xml_cannot_hold_are_deleted_as_well(store: ObjectStore) -> None:
    prefix = f"tests/{uuid.uuid4().hex}/"
    names = [f"{prefix}{name}" for name in ("a\x01b", "a\rb", "a\nb", "a&<b", "a\tb", "plain")]
    for name in names:
        store.write(UPLOADS, name, b"1", "text/plain")
    assert {each.key for each in store.list(UPLOADS, prefix)} == set(names)
    store.delete(UPLOADS, names)
    assert list(store.list(UPLOADS, prefix)) == []


@pytest.mark.parametrize("bad", ["x" * 1025, "y" * 300, "z" * 1022])
def test_a_key_that_no_object_can_have_is_refused_for_good(store: ObjectStore, key: str, bad: str) -> None:
    # SeaweedFS notices a long segment only at the end of an upload in parts, and calls it an internal error.
    sizes = (1, PART_BYTES - 1, PART_BYTES + 1) if len(bad) > 1024 else (1, PART_BYTES - 1)
    for size in sizes:
        with pytest.raises(Refused) as refused:
            store.write_stream(UPLOADS, bad, io.BytesIO(bytes(size)))
        assert refused.value.code
    store.write(UPLOADS, key, b"1", "text/plain")
    with pytest.raises((Refused, NoSuchObject)):
        store.copy(UPLOADS, key, RESULTS, bad)
    store.delete(UPLOADS, [bad, key])
    with pytest.raises(NoSuchObject):
        store.stat(UPLOADS, key)


def test_a_key_that_leaves_its_bucket_is_refused(store: ObjectStore) -> None:
    for bad in ("../x", "a/../../x", ""):
        with pytest.raises(Refused):
            store.write(UPLOADS, bad, b"1", "text/plain")


def test_an_object_that_only_its_senders_key_decrypts_is_refused(server: Server, store: ObjectStore, key: str) -> None:
    client = raw(server)
    if server.store is Store.MINIO:
        # It takes such a key over HTTPS only; but it takes what claims to be the replica of an encrypted object.
        def claim(request: Any, **_: object) -> None:
            for name, value in (("Sealed-Key", "AAAA"), ("Seal-Algorithm", "DAREv2-HMAC-SHA256"), ("Iv", "AAAA")):
                request.headers[f"X-Minio-Replication-Server-Side-Encryption-{name}"] = value

        client.meta.events.register("before-sign.s3.PutObject", claim)
        client.put_object(Bucket=UPLOADS, Key=key, Body=b"secret")
    else:
        client.put_object(
            Bucket=UPLOADS, Key=key, Body=b"secret", SSECustomerAlgorithm="AES256", SSECustomerKey=bytes(range(32))
        )
    for ask in (
        lambda: store.read(UPLOADS, key, limit=10),
        lambda: next(store.chunks(UPLOADS, key)),
        lambda: store.copy(UPLOADS, key, RESULTS, key),
    ):
        with pytest.raises(Refused):
            ask()
    if server.store is Store.MINIO:  # it lists nothing at all where it is
        for ask in (lambda: store.stat(UPLOADS, key), lambda: next(store.list(UPLOADS))):
            with pytest.raises(Refused):
                ask()
    else:  # everybody may know that it is there, so that it can fail for its reason and be deleted
        (listed,) = store.list(UPLOADS, key)
        assert store.stat(UPLOADS, key) == listed
        assert store.delete_if(UPLOADS, key, listed.etag)
    store.delete(UPLOADS, [key])
    assert list(store.list(UPLOADS, key)) == []


def test_an_iterator_that_is_closed_gives_its_connection_back(store: ObjectStore, key: str) -> None:
    store.write_stream(UPLOADS, key, io.BytesIO(bytes(PART_BYTES * 2)))
    for _ in range(100):  # more than there are connections
        chunks = store.chunks(UPLOADS, key)
        assert next(chunks)
        chunks.close()


def test_a_bucket_that_is_not_there_concerns_the_installation(store: ObjectStore) -> None:
    for ask in (
        lambda: store.read("no-such-bucket", "x", limit=1),
        lambda: store.stat("no-such-bucket", "x"),
        lambda: store.write("no-such-bucket", "x", b"", "text/plain"),
        lambda: store.copy("no-such-bucket", "x", RESULTS, "x"),
        lambda: list(store.list("no-such-bucket")),
        lambda: store.delete("no-such-bucket", ["x"]),
    ):
        with pytest.raises(Unavailable):
            ask()


@pytest.mark.parametrize("pair", [{"secret_key": "wrong"}, {"access_key": "nobody"}])
def test_keys_that_are_wrong_concern_the_installation(
    server: Server, pair: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    client = server.client(replace(server.administrator, **pair))
    for ask in (lambda: client.read(UPLOADS, "x", limit=1), lambda: client.stat(UPLOADS, "x")):
        with pytest.raises(Unavailable):
            ask()
    client.close()
    told = capsys.readouterr().out
    assert "SignatureDoesNotMatch" in told or "InvalidAccessKeyId" in told
    assert server.administrator.secret_key not in told
    assert server.administrator.access_key not in told


def test_what_one_may_not_do_is_refused(server: Server, store: ObjectStore, key: str) -> None:
    store.write(UPLOADS, key, b"1", "text/plain")
    people = server.people()
    for ask in (
        lambda: people.read(UPLOADS, key, limit=1),
        lambda: people.stat(UPLOADS, key),
        lambda: people.write(UPLOADS, key, b"2", "text/plain"),
        lambda: people.delete(UPLOADS, [key]),
        lambda: people.delete_if(UPLOADS, key, OTHER),
        lambda: people.copy(UPLOADS, key, DROP, key),
    ):
        with pytest.raises(Refused, match="AccessDenied"):
            ask()
    people.close()
    assert store.read(UPLOADS, key, limit=1)[0] == b"1"
