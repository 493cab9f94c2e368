"""The embedded store's notifications become the same record that other stores send."""

import json
from http.client import HTTPConnection
from typing import Any

import pytest
from countermark.servers.notifications import ObjectCreated, read_created

from infra.connector.webhook import read_notification
from tests.connector.flow import TOKEN, Flow
from tests.platform_driver import wait_until


def notification(key: str = "/buckets/drop/w/a b+é.jpg", event: str = "create", **entry: Any) -> dict[str, Any]:
    new_entry = {"name": key.rpartition("/")[2], "attributes": {"file_size": 100, "mtime": 1795496302}, **entry}
    return {"event_type": event, "key": key, "message": {"new_parent_path": "x", "new_entry": new_entry}}


def read(body: Any) -> ObjectCreated | None:
    return read_notification(json.dumps(body).encode())


@pytest.mark.parametrize("event", ["create", "update"])
def test_a_new_object_is_reported_with_its_raw_key(event: str) -> None:
    assert read(notification(event=event)) == ObjectCreated(bucket="drop", key="w/a b+é.jpg")


@pytest.mark.parametrize(
    "key", ["/buckets/uploads/direct/j/1", "/buckets/drop/holiday.uploads/a.jpg", "/buckets/drop/a/.uploads/b.jpg"]
)
def test_what_others_than_functions_store_is_reported(key: str) -> None:
    assert read(notification(key)) is not None


@pytest.mark.parametrize(
    "body",
    [
        notification(event="delete"),
        notification(event="rename"),
        notification(key="/buckets/drop"),
        notification(key="/buckets/drop/"),
        notification(key="/buckets/"),
        notification(key="/etc/passwd"),
        notification(key="drop/a.jpg"),
        notification(key="/buckets/drop/.uploads/part"),
        notification(key="/buckets/drop/folder", is_directory=True),
        notification(key="/buckets/uploads/posted/j/1"),
        notification(key="/buckets/uploads/direct/"),
        notification(key="/buckets/results/j/1.0.x"),
        notification(key="/buckets/a.b *>/c"),
        {"event_type": "create", "key": "/buckets/drop/a", "message": {"new_entry": None}},
        {"event_type": "create", "key": "/buckets/drop/a", "message": {}},
    ],
)
def test_what_is_no_new_object_is_passed_over(body: dict[str, Any]) -> None:
    assert read(body) is None


BAD = [
    b"",
    b"\xff\xfe",
    b"{",
    b"null",
    b"[]",
    b"3",
    b'"x"',
    b"[" * 100_000,
    b"{}",
    b'{"message": {}}',
    b'{"event_type": "create", "key": "/buckets/a/b"}',
    b'{"event_type": "create", "key": 3, "message": {}}',
    b'{"event_type": "create", "key": "/buckets/drop/a", "message": []}',
    b'{"event_type": "create", "key": "/buckets/drop/a", "message": {"new_entry": "x"}}',
    b'{"event_type": "create", "key": "/buckets/drop/\\ud800", "message": {"new_entry": {}}}',
]


@pytest.mark.parametrize("body", BAD, ids=lambda body: repr(body[:50]))
def test_what_is_no_notification_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- whatever the message is
        read_notification(body)


def post(flow: Flow, body: bytes, authorization: bytes | None = f"Bearer {TOKEN}".encode()) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    connection = HTTPConnection("127.0.0.1", flow.running.port, timeout=20)
    try:
        connection.request("POST", "/webhook", body, headers)  # a client that sends whatever it is given
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_notification_is_delivered_as_an_event_record(flow: Flow) -> None:
    assert post(flow, json.dumps(notification("/buckets/drop/webhook/a b+é.jpg")).encode()) == 204
    wait_until(lambda: flow.functions.calls_with("objects.created.drop"), 10)
    (call,) = flow.functions.calls_with("objects.created.drop")
    assert (call.function, call.headers["ce-type"]) == ("drop", "objects.created")
    assert list(read_created(json.loads(call.body))) == [ObjectCreated(bucket="drop", key="webhook/a b+é.jpg")]


@pytest.mark.parametrize("shown", [None, b"", b"Bearer ", TOKEN.encode(), b"Bearer other", b"Bearer \xff\xfe"])
def test_the_webhook_needs_its_token(flow: Flow, shown: bytes | None) -> None:
    assert post(flow, json.dumps(notification("/buckets/drop/without token.jpg")).encode(), shown) == 403


def test_without_a_token_there_is_no_webhook(own_flow: Flow) -> None:
    own_flow.start_connector(WEBHOOK_TOKEN="")
    assert post(own_flow, json.dumps(notification()).encode(), b"Bearer ") == 403


def test_whatever_comes_is_answered(flow: Flow) -> None:
    assert {post(flow, body) for body in BAD} == {400}
    assert post(flow, json.dumps(notification("/buckets/results/x")).encode()) == 204
    assert post(flow, b"x" * 5_000_000) == 413
    assert "Traceback" not in flow.running.log.read_text()


def test_what_the_stream_does_not_take_is_said_to_be_lost(own_flow: Flow) -> None:
    connector = own_flow.start_connector()
    own_flow.nats.kill()
    assert post(own_flow, json.dumps(notification()).encode()) == 503
    assert "Traceback" not in connector.log.read_text()
