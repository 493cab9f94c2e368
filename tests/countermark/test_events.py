"""Event records of the object stores are read alike, and the same object has one message id."""

from dataclasses import replace

import pytest
from countermark.http.problems import Problem
from countermark.servers.events import ObjectCreated, created_id, created_record, read_created


def record(name: str, key: str, source: str = "minio:s3") -> dict[str, object]:
    item = {"key": key, "size": 3, "eTag": '"abc"'}
    return {"eventSource": source, "eventName": name, "s3": {"bucket": {"name": "drop"}, "object": item}}


@pytest.mark.parametrize("source", ["minio:s3", "rustfs:s3", "aws:s3"])
def test_records_of_every_store_are_read(source: str) -> None:
    data = {"Records": [record("s3:ObjectCreated:Put", "in%2Fa+b%C3%A9.jpg", source)]}
    assert list(read_created(data)) == [ObjectCreated(bucket="drop", key="in/a bé.jpg", etag="abc", bytes=3)]


def test_a_change_of_tags_is_no_new_object() -> None:
    assert list(read_created({"Records": [record("s3:ObjectCreated:PutTagging", "a.jpg")]})) == []


@pytest.mark.parametrize("data", [{}, {"Records": 3}, {"Records": [{}]}, {"Records": ["x"]}])
def test_what_is_no_record_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(Problem, match="not an S3 event"):
        list(read_created(data))


@pytest.mark.parametrize("key", ["a.jpg", "day 1/ночь+1.jpg", "100%/a&b.png"])
def test_what_is_published_is_read_back(key: str) -> None:
    created = ObjectCreated(bucket="uploads", key=key, etag="e", bytes=9)
    assert list(read_created(created_record(created))) == [created]


def test_ids_tell_apart_what_is_to_be_processed_again() -> None:
    upload = ObjectCreated(bucket="uploads", key="direct/j/1", etag="x")
    assert created_id(upload) == created_id(ObjectCreated(bucket="uploads", key="direct/j/1"))
    first = ObjectCreated(bucket="drop", key="w/a.jpg", etag="x", time=1)
    other_bytes, same_bytes_later = replace(first, etag="y"), replace(first, time=2)
    ids = {created_id(first), created_id(other_bytes), created_id(same_bytes_later), created_id(first, again="job/1")}
    assert len(ids) == 4
