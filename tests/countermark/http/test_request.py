"""A request as a handler gets it: a call as it came, a message in binary mode whatever mode it came in."""

import json

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from countermark.http.calls import message_data, message_kind
from countermark.http.problems import Problem, WrongMediaType
from countermark.http.request import read_event
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Request

STRUCTURED = "application/cloudevents+json"
ATTRIBUTES = {"id": "COUNTERMARK/7", "source": "urn:countermark:stream", "type": "jobs.complete"}


def test_a_call_is_what_was_sent() -> None:
    event = read_event(Request.from_values("/a/b?c=1&d=%C3%A9", method="PUT", data=b"body", headers={"X-Own": "yes"}))
    assert (event.method, event.path, dict(event.query)) == ("PUT", "/a/b", {"c": "1", "d": "é"})
    assert event.headers.get("x-own") == "yes"
    assert message_kind(event) is None
    assert (event.body, event.body) == (b"body", b"body")


def test_a_body_can_be_read_piece_by_piece() -> None:
    event = read_event(Request.from_values(method="POST", data=b"in pieces"))
    assert (event.stream.read(3), event.stream.read(), event.body) == (b"in ", b"pieces", b"")


@pytest.mark.parametrize("mode", [to_binary_event, to_structured_event], ids=["binary", "structured"])
def test_a_message_is_the_same_in_both_modes(mode: object) -> None:
    message = mode(CloudEvent(ATTRIBUTES, {"version": 1, "job": "ночь"}))  # type: ignore[operator]
    event = read_event(Request.from_values(method="POST", data=message.body, headers=message.headers))
    assert message_kind(event) == "jobs.complete"
    assert event.headers.get("ce-id") == "COUNTERMARK/7"
    assert message_data(event) == {"version": 1, "job": "ночь"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"specversion": "1.0", "type": "jobs.complete"}',
        json.dumps({"data": {}, "id": 1, "type": [], "source": "a"}).encode(),
    ],
    ids=["empty", "list", "deep", "incomplete", "wrong types"],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(Problem, match="not a CloudEvent"):
        read_event(Request.from_values(method="POST", data=body, content_type=f"{STRUCTURED}; charset=utf-8"))


@given(st.binary())
def test_no_body_of_a_message_is_an_error_of_ours(body: bytes) -> None:
    with pytest.raises(Problem):
        read_event(Request.from_values(method="POST", data=body, content_type=STRUCTURED))


@pytest.mark.parametrize("media_type", ["application/cloudevents-batch+json", "application/cloudevents+avro"])
def test_batches_and_other_formats_are_refused(media_type: str) -> None:
    with pytest.raises(WrongMediaType):
        read_event(Request.from_values(method="POST", data=b"[]", content_type=media_type))
