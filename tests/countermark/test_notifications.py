"""Event records of the object stores are read alike."""

import pytest
from countermark.http.problems import Problem
from countermark.servers.notifications import ObjectCreated, created_record, read_created


def record(name: str, key: str, source: str = "minio:s3") -> dict[str, object]:
    item = {"key": key, "size": 3, "eTag": '"abc"'}
    return {"eventSource": source, "eventName": name, "s3": {"bucket": {"name": "drop"}, "object": item}}


@pytest.mark.parametrize("source", ["minio:s3", "rustfs:s3", "aws:s3"])
def test_records_of_every_store_are_read(source: str) -> None:
    data = {"Records": [record("s3:ObjectCreated:Put", "in%2Fa+b%C3%A9.jpg", source)]}
    assert list(read_created(data)) == [ObjectCreated(bucket="drop", key="in/a bé.jpg")]


def test_a_change_of_tags_is_no_new_object() -> None:
    assert list(read_created({"Records": [record("s3:ObjectCreated:PutTagging", "a.jpg")]})) == []


@pytest.mark.parametrize("data", [{}, [], None, "x", {"Records": 3}, {"Records": [{}]}, {"Records": ["x"]}])
def test_what_is_no_record_is_refused(data: object) -> None:
    with pytest.raises(Problem, match="not an S3 event"):
        list(read_created(data))


@pytest.mark.parametrize("key", ["a.jpg", "day 1/ночь+1.jpg", "100%/a&b.png"])
def test_what_is_published_is_read_back(key: str) -> None:
    created = ObjectCreated(bucket="uploads", key=key)
    assert list(read_created(created_record(created))) == [created]
