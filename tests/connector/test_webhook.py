"""The embedded store's notifications become the same record that other stores send."""

import base64
from typing import Any

import pytest
from countermark.servers.events import ObjectCreated

from infra.connector.webhook import read_notification


def notification(key: str = "/buckets/drop/w/a b+é.jpg", event: str = "create", **entry: Any) -> dict[str, Any]:
    new_entry = {
        "name": key.rpartition("/")[2],
        "attributes": {"file_size": 100, "mtime": 1795496302, "md5": base64.b64encode(bytes.fromhex("00ff")).decode()},
        "extended": {"Seaweed-X-Amz-ETag": base64.b64encode(b"abc-2").decode()},
        **entry,
    }
    return {"event_type": event, "key": key, "message": {"new_parent_path": "x", "new_entry": new_entry}}


def test_a_new_object_is_told_with_its_raw_key() -> None:
    expected = ObjectCreated(bucket="drop", key="w/a b+é.jpg", etag="abc-2", bytes=100, time=1795496302)
    assert read_notification(notification()) == expected


def test_the_etag_is_the_md5_where_the_store_keeps_no_other() -> None:
    created = read_notification(notification(extended={}))
    assert created
    assert created.etag == "00ff"


@pytest.mark.parametrize(
    "body",
    [
        notification(event="delete"),
        notification(key="/buckets/drop"),
        notification(key="/etc/passwd"),
        notification(key="/buckets/drop/.uploads/part"),
        {"event_type": "create", "key": "/buckets/drop/a", "message": {"new_entry": None}},
    ],
)
def test_what_is_no_new_object_is_passed_over(body: dict[str, Any]) -> None:
    assert read_notification(body) is None


@pytest.mark.parametrize("body", [{}, {"message": {}}, {"event_type": "create", "key": "/buckets/a/b"}])
def test_what_is_no_notification_is_an_error(body: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_notification(body)
