"""What each error of an object store means, whoever says it and however."""

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from countermark.http.problems import Unavailable
from countermark.servers import object_requests
from countermark.servers.object_errors import meaning_of
from countermark.servers.object_requests import TRIES
from countermark.servers.objects import PART_BYTES, NoSuchObject, ObjectStore, Refused, Replaced

from tests.countermark.fake_store import FakeStore, Request, fake_store

BUCKET, KEY, ETAG = "bucket", "key", "e" * 32
STORED = {"ETag": f'"{ETAG}"', "Last_Modified": "Fri, 27 Nov 2026 09:00:00 GMT"}

FOR_GOOD = [
    (403, "AccessDenied"),
    (400, "KeyTooLongError"),
    (400, "KeyTooLong"),
    (400, "InvalidArgument"),
    (400, "EntityTooLarge"),
    (400, "InvalidRequest"),
    (400, "InvalidObjectName"),
    (400, "XMinioInvalidObjectName"),
    (405, "MethodNotAllowed"),
    (409, "ExistingObjectIsFile"),
    (416, "InvalidRange"),
    (400, "WhateverIsInventedNext"),
    (403, "InvalidObjectState"),
]
FOR_NOW = [
    (503, "SlowDown"),
    (503, "SlowDownRead"),
    (500, "InternalError"),
    (502, "BadGateway"),
    (504, "GatewayTimeout"),
    (507, "XMinioStorageFull"),
    (400, "QuotaExceeded"),
    (400, "XMinioAdminBucketQuotaExceeded"),
    (429, "TooManyRequests"),
    (429, "WhateverIsInventedNext"),
    (408, "WhateverIsInventedNext"),
    (599, "WhateverIsInventedNext"),
    (400, "RequestTimeout"),
    (400, "Throttling"),
    (400, "ThrottlingException"),
    (400, "BadDigest"),
    (400, "IncompleteBody"),
    (404, "NoSuchUpload"),
    (409, "OperationAborted"),
]
OF_THE_INSTALLATION = [
    (403, "InvalidAccessKeyId"),
    (403, "SignatureDoesNotMatch"),
    (400, "ExpiredToken"),
    (404, "NoSuchBucket"),
    (403, "RequestTimeTooSkewed"),
    (400, "AuthorizationHeaderMalformed"),
]


@contextmanager
def store_that(respond: Callable[[Request], None], timeout: float = 5) -> Iterator[tuple[ObjectStore, FakeStore]]:
    """Our client, and the server that it talks to."""
    with fake_store(respond) as server:
        store = ObjectStore(server.url, access_key="ACCESS", secret_key="SECRET", region="us-east-1", timeout=timeout)
        yield store, server
        store.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's waits between two tries are not what is tried here."""
    monkeypatch.setattr(object_requests, "PAUSE", 0)


def asked_for_everything(store: ObjectStore) -> list[Callable[[], object]]:
    """One call of each method that answers for an object."""
    return [
        lambda: store.read(BUCKET, KEY, limit=10),
        lambda: store.read(BUCKET, KEY, limit=10, etag=ETAG),
        lambda: store.stat(BUCKET, KEY),
        lambda: list(store.chunks(BUCKET, KEY)),
        lambda: store.write(BUCKET, KEY, b"1", "text/plain"),
        lambda: store.write_stream(BUCKET, KEY, io.BytesIO(bytes(PART_BYTES))),
        lambda: store.copy(BUCKET, KEY, BUCKET, "copy"),
        lambda: list(store.list(BUCKET)),
        lambda: store.delete(BUCKET, ["a\x01"]),
        lambda: store.delete(BUCKET, ["a", "b"]),
        lambda: store.delete_if(BUCKET, KEY, ETAG),
    ]


@pytest.mark.parametrize(("status", "code"), FOR_GOOD)
def test_what_is_refused_for_good(status: int, code: str) -> None:
    assert isinstance(meaning_of("GetObject", code, status), Refused)


@pytest.mark.parametrize(("status", "code"), FOR_NOW + OF_THE_INSTALLATION)
def test_what_may_pass(status: int, code: str) -> None:
    assert isinstance(meaning_of("GetObject", code, status), Unavailable)


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (400, "InvalidArgument")])
def test_every_method_tells_what_is_refused_with_the_stores_own_code(status: int, code: str) -> None:
    with store_that(lambda request: request.error(status, code)) as (store, _):
        for ask in asked_for_everything(store):
            with pytest.raises(Refused) as refused:
                ask()
            assert refused.value.code == code


PASSING = [(503, "SlowDown"), (400, "QuotaExceeded"), (403, "SignatureDoesNotMatch"), (404, "NoSuchBucket")]


@pytest.mark.parametrize(("status", "code"), PASSING)
def test_every_method_tells_and_logs_what_may_pass(status: int, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    with store_that(lambda request: request.error(status, code)) as (store, server):
        for ask in asked_for_everything(store):
            with pytest.raises(Unavailable):
                ask()
            out = capsys.readouterr().out
            assert code in out or f"code={status}" in out  # an answer to HEAD has no more
            assert "operation=" in out
            assert not any(word in out for word in ("ACCESS", "SECRET", server.url, KEY))


def test_what_is_asked_of_an_empty_key_is_not_done_to_the_bucket() -> None:
    with store_that(lambda request: request.answer(200, b"data", **STORED)) as (store, server):
        for ask in (
            lambda: store.read(BUCKET, "", limit=10),
            lambda: store.write(BUCKET, "", b"1", "text/plain"),
            lambda: store.copy(BUCKET, KEY, BUCKET, ""),
            lambda: store.delete(BUCKET, [""]),
        ):
            with pytest.raises(Refused, match="InvalidParameter"):
                ask()
        assert {request.method for request in server.requests} == {"HEAD"}


def test_a_missing_object_and_another_version_have_errors_of_their_own() -> None:
    with store_that(lambda request: request.error(404, "NoSuchKey")) as (store, _):
        for ask in asked_for_everything(store)[:4]:
            with pytest.raises(NoSuchObject):
                ask()
        assert not store.delete_if(BUCKET, KEY, ETAG)
        store.delete(BUCKET, ["a\x01"])
    with store_that(lambda request: request.error(400, "KeyTooLongError")) as (store, _):
        store.delete(BUCKET, ["a\x01", "b"])
    with store_that(lambda request: request.error(412, "PreconditionFailed")) as (store, _), pytest.raises(Replaced):
        store.read(BUCKET, KEY, limit=10, etag=ETAG)


def test_an_answer_of_something_that_is_no_store_is_unavailable() -> None:
    with store_that(lambda request: request.answer(502, b"<html>Bad gateway</html>")) as (store, _):
        for ask in asked_for_everything(store):
            with pytest.raises(Unavailable):
                ask()


def test_a_deletion_that_only_some_keys_are_refused_deletes_the_others() -> None:
    deleted = []

    def respond(request: Request) -> None:
        if request.method == "POST":
            errors = "".join(f"<Error><Key>{key}</Key><Code>AccessDenied</Code></Error>" for key in "b")
            request.answer(200, f"<DeleteResult>{errors}</DeleteResult>".encode())
        elif request.path.endswith("/b"):
            request.error(403, "AccessDenied")
        else:
            deleted.append(request.path[-1])
            request.answer(204)

    with store_that(respond) as (store, _), pytest.raises(Refused, match="AccessDenied"):
        store.delete(BUCKET, ["a", "b", "c"])
    assert deleted == ["a", "c"]


def test_a_deletion_that_fails_in_part_for_now_is_unavailable() -> None:
    body = b"<DeleteResult><Error><Key>a</Key><Code>InternalError</Code></Error></DeleteResult>"
    with store_that(lambda request: request.answer(200, body)) as (store, _), pytest.raises(Unavailable):
        store.delete(BUCKET, ["a", "b"])


def test_an_error_of_the_moment_is_tried_again() -> None:
    def respond(request: Request) -> None:
        if len(server.requests) < 3:
            request.error(503, "SlowDown")
        else:
            request.answer(200, b"data", **STORED)

    with store_that(respond) as (store, server):
        assert store.read(BUCKET, KEY, limit=10) == (b"data", ETAG)
        assert len(server.requests) == 3


@pytest.mark.parametrize("failing", [lambda request: request.error(503, "SlowDown"), lambda request: request.cut()])
def test_what_is_tried_again_is_sent_whole(failing: Callable[[Request], None]) -> None:
    data = bytes(range(256)) * 10_000

    def respond(request: Request) -> None:
        if len(server.requests) < 3:
            failing(request)
        else:
            request.answer(200, **STORED)

    with store_that(respond) as (store, server):
        assert store.write(BUCKET, KEY, data, "text/plain") == ETAG
        assert [request.body for request in server.requests] == [data] * 3


def test_what_will_not_pass_in_a_moment_is_sent_once() -> None:
    for status, code in ((403, "AccessDenied"), (404, "NoSuchUpload"), (507, "XMinioStorageFull")):
        with store_that(partial(Request.error, status=status, code=code)) as (store, server):
            with pytest.raises((Refused, Unavailable)):
                store.write(BUCKET, KEY, b"data", "text/plain")
            assert len(server.requests) == 1


@pytest.mark.parametrize("cuts", [0, 1])
def test_a_connection_that_the_store_has_closed_meanwhile_is_no_failure(cuts: int) -> None:
    """Right after an answer, or just when the next request is there; so a last try is left when it then slows down."""

    def respond(request: Request) -> None:
        number = len(server.requests)
        if number == 1:
            request.answer(200, **STORED)
            if not cuts:
                request.cut()
        elif number == 2 and cuts:
            request.cut()
        elif number < 2 + cuts + TRIES - 1:
            request.error(503, "SlowDown")
        else:
            request.answer(200, **STORED)

    with store_that(respond) as (store, server):
        for _ in range(2):
            assert store.write(BUCKET, KEY, b"data", "text/plain") == ETAG
        assert len(server.requests) == 1 + cuts + TRIES


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_connection_is_kept_and_a_forked_child_has_its_own() -> None:
    with store_that(lambda request: request.answer(200, b"data", **STORED)) as (store, server):
        for _ in range(2):
            store.read(BUCKET, KEY, limit=10)
        child = os.fork()
        if not child:
            os._exit(store.read(BUCKET, KEY, limit=10) != (b"data", ETAG))
        assert os.waitpid(child, 0)[1] == 0
        store.read(BUCKET, KEY, limit=10)
        first, second, of_child, third = (request.handler.client_address for request in server.requests)
        assert first == second == third != of_child


def test_a_copy_that_fails_after_its_success_was_said_has_failed() -> None:
    def respond(request: Request) -> None:
        if request.method == "PUT":
            request.answer(200, b'\n\n<?xml version="1.0"?>\n <Error><Code>InternalError</Code></Error>')
        else:
            request.answer(200, b"data", **STORED)

    with store_that(respond) as (store, server), pytest.raises(Unavailable, match="InternalError"):
        store.copy(BUCKET, KEY, BUCKET, "copy")
    assert len(server.requests) == 1 + TRIES


def test_a_list_that_the_store_can_not_make_is_not_an_empty_one() -> None:
    body = b'<?xml version="1.0"?>\n<Error><Code>XMinioObjectTampered</Code></Error>'
    with store_that(lambda request: request.answer(206, body)) as (store, server):
        with pytest.raises(Refused, match="XMinioObjectTampered"):
            next(store.list(BUCKET))
        assert len(server.requests) == 1


def test_what_answers_without_the_headers_of_a_store_or_document_is_unavailable() -> None:
    with store_that(lambda request: request.answer(200, b"Welcome")) as (store, _):
        for ask in asked_for_everything(store)[:8]:
            with pytest.raises(Unavailable):
                ask()


@pytest.mark.parametrize(
    "respond",
    [lambda request: request.cut(), lambda _: time.sleep(1), lambda request: request.handler.wfile.write(b"x\r\n")],
)
def test_a_store_that_cuts_or_does_not_answer_is_unavailable(respond: Callable[[Request], None]) -> None:
    with store_that(respond, timeout=0.1) as (store, _):
        for ask in asked_for_everything(store):
            with pytest.raises(Unavailable):
                ask()


def test_a_store_that_is_away_is_unavailable() -> None:
    away = ObjectStore("http://127.0.0.1:9", access_key="a", secret_key="b", region="us-east-1")
    for ask in asked_for_everything(away):
        with pytest.raises(Unavailable):
            ask()
    away.close()


def breaking_off(data: bytes, pieces: list[int], replaced: bool = False) -> Callable[[Request], None]:
    """A store whose connections end after so many bytes each, and then no more."""

    def respond(request: Request) -> None:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start:
            assert request.headers["if-match"] == f'"{ETAG}"'
            if replaced:
                return request.error(412, "PreconditionFailed")
        rest = data[start:]
        request.begin(206 if start else 200, len(rest), **STORED)
        if pieces:
            request.handler.wfile.write(rest[: pieces.pop(0)])
            return request.cut()
        request.handler.wfile.write(rest)
        return None

    return respond


def test_a_stream_that_breaks_off_is_taken_up_where_it_was() -> None:
    data = bytes(range(251)) * 20_000
    with store_that(breaking_off(data, [1_100_000, 0, 1_500_000, 0])) as (store, server):
        assert b"".join(store.chunks(BUCKET, KEY)) == data
        assert len(server.requests) == 5


def test_a_read_that_breaks_off_is_done_again() -> None:
    with store_that(breaking_off(b"0123456789", [4, 0])) as (store, _):
        assert store.read(BUCKET, KEY, limit=10) == (b"0123456789", ETAG)
    with store_that(breaking_off(b"0123456789", [4, 0, 4])) as (store, _), pytest.raises(Unavailable):
        store.read(BUCKET, KEY, limit=10)


def test_a_stream_never_ends_short() -> None:
    with store_that(breaking_off(bytes(3_000_000), [2_000_000, 0, 0, 0])) as (store, _):
        chunks = store.chunks(BUCKET, KEY)
        with pytest.raises(Unavailable):
            list(chunks)


def test_a_stream_whose_object_was_replaced_meanwhile_says_so() -> None:
    with store_that(breaking_off(bytes(3_000_000), [2_000_000], replaced=True)) as (store, _), pytest.raises(Replaced):
        list(store.chunks(BUCKET, KEY))


def test_a_store_that_ignores_ranges_does_not_double_what_was_read() -> None:
    sent = []

    def respond(request: Request) -> None:
        request.begin(200, 3_000_000, **STORED)
        sent.append(request)
        request.handler.wfile.write(bytes(2_000_000))
        request.cut()

    with store_that(respond) as (store, _), pytest.raises(Unavailable, match="RangeIgnored"):
        list(store.chunks(BUCKET, KEY))
    assert len(sent) == 2


@pytest.mark.parametrize("fails", ["PUT", "complete"])
def test_an_upload_in_parts_that_fails_is_aborted_even_if_that_fails_too(fails: str) -> None:
    def respond(request: Request) -> None:
        if request.method == "POST" and "uploads" in request.path:
            request.answer(200, b"<R><UploadId>u</UploadId></R>")
        elif request.method == "DELETE":
            request.error(403, "AccessDenied")
        elif request.method == fails or (fails == "complete" and request.method == "POST"):
            request.error(400, "EntityTooLarge")
        else:
            request.answer(200, **STORED)

    with store_that(respond) as (store, server):
        with pytest.raises(Refused, match="EntityTooLarge"):
            store.write_stream(BUCKET, KEY, io.BytesIO(bytes(PART_BYTES + 1)))
        assert server.requests[-1].method == "DELETE"


def test_no_request_waits_to_be_told_to_continue_or_hashes_its_body() -> None:
    with store_that(lambda request: request.answer(200, **STORED)) as (store, server):
        assert store.write(BUCKET, KEY, b"data", "text/plain") == ETAG
    (request,) = server.requests
    assert "expect" not in request.headers
    assert request.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert not any(name.startswith("x-amz-checksum") for name in request.headers)
