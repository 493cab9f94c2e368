"""Images in the body of one request: each is stored as it is read, and what goes wrong is told or leaves nothing."""

import asyncio
import io
import json
import threading
import time
import zipfile
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from countermark.http.problems import BadOptions, Expired, Problem, TooLarge, TooMany, Unavailable
from countermark.http.request import RECEIVED
from countermark.jobs.opening import NewJob
from countermark.servers.objects import Refused
from countermark.services import Services
from werkzeug.test import TestResponse

from functions.upload import handler, posted, unpack
from functions.upload import rows as upload_rows
from functions.upload.posted import receive_posted
from functions.upload.room import MEMORY_BYTES, MIB, Room
from functions.upload.workers import Workers
from tests.functions.conftest import Call, ClientOf, Objects
from tests.jobs.made import change, image_row, job_row, picture, rows, sent, stored, value
from tests.received import at_once, pieces, receive

FORM = "multipart/form-data; boundary=b"


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    """A body with parts: name, file name, bytes."""
    body = b""
    for name, filename, data in parts:
        shown = "" if filename is None else f'; filename="{filename}"'
        body += f'--b\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n\r\n'.encode() + data + b"\r\n"
    return body + b"--b--\r\n"


def files(*given: tuple[str, bytes]) -> bytes:
    """A body with these files."""
    return form(*(("files", name, data) for name, data in given))


def packed(*given: tuple[str, bytes]) -> bytes:
    """A ZIP."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in given:
            archive.writestr(name, data)
    return out.getvalue()


def limited(own: Services, **limits: object) -> Services:
    """The same with other limits."""
    return replace(own, settings=own.settings.model_copy(update=limits))


def post(own: Services, call: Call, body: bytes, room: Room | None = None) -> NewJob:
    return receive(own, call("POST", "/", body, **{"Content-Type": FORM}), at_once(room))


def names(own: Services) -> list[str]:
    return [name for (name,) in rows(own, "SELECT name FROM images ORDER BY number")]


def codes(own: Services) -> list[str | None]:
    return [code for (code,) in rows(own, "SELECT code FROM images ORDER BY number")]


def test_a_job_begins_with_its_files_and_options(own: Services, call: Call) -> None:
    data = [picture(colour="#ff0000"), picture(colour="#00ff00")]
    body = form(("format", None, b"png"), ("files", "day/a.png", data[0]), ("files", "b.png", data[1]))
    job = post(own, call, body)
    row = job_row(own, job.id)
    assert (row.token, row.state, row.owner) == (job.token, "processing", "address:192.0.2.1")
    assert json.loads(value(own, "SELECT options::text FROM jobs"))["format"] == "PNG"
    assert names(own) == ["day/a.png", "b.png"]
    for number in (1, 2):
        image = image_row(own, job.id, number)
        assert own.objects.read("uploads", image.key, limit=10**9)[0] == data[number - 1]
        assert (image.state, image.bytes) == ("waiting", len(data[number - 1]))
        assert image.etag == own.objects.stat("uploads", image.key).etag
    assert sent(own) == [f"images.waiting.{job.id}.1.1", f"images.waiting.{job.id}.2.1"]


def test_a_job_has_no_more_files_than_it_may_and_nothing_of_others_is_kept(own: Services, call: Call) -> None:
    few = limited(own, max_files=2)
    post(few, call, files(("a", b"1"), ("b", b"2")))
    with pytest.raises(TooMany, match="more than the 2 files"):
        post(few, call, files(("a", b"1"), ("b", b"2"), ("c", b"3")))
    assert rows(own, "SELECT state FROM jobs ORDER BY created_at") == [["processing"], ["expired"]]


def test_a_job_has_no_more_bytes_than_it_may_and_nothing_of_others_is_kept(own: Services, call: Call) -> None:
    few = limited(own, max_job_bytes=10)
    post(few, call, files(("a", b"x" * 5), ("b", b"x" * 5)))
    with pytest.raises(TooLarge, match="more than the 10 bytes"):
        post(few, call, files(("a", b"x" * 5), ("b", b"x" * 6)))
    assert rows(own, "SELECT state FROM jobs ORDER BY created_at") == [["processing"], ["expired"]]


def test_a_file_that_is_too_large_fails_alone(own: Services, call: Call) -> None:
    few = limited(own, max_file_bytes=3 * 1024 * 1024)
    post(few, call, files(("a", b"x" * (3 * 1024 * 1024)), ("b", b"x" * (3 * 1024 * 1024 + 1)), ("c", b"x")))
    assert codes(own) == [None, "file_too_large", None]
    reason = value(own, "SELECT reason FROM images WHERE number = 2")
    assert reason == "The file is larger than the 3 MiB that are allowed."
    assert len(stored(own, "uploads")) == 2


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (files(("a", b"1"))[:-8], Problem),
        (form(("files", "a", b"1"), ("format", None, b"png")), Problem),
        (b"nothing", Problem),
    ],
    ids=["cut off", "an option after a file", "no form"],
)
def test_a_request_that_is_refused_leaves_nothing(
    own: Services, call: Call, body: bytes, problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        post(own, call, body)
    assert rows(own, "SELECT state FROM jobs WHERE state <> 'expired'") == []
    assert all(subject.startswith(("jobs.expired", "images.")) for subject in sent(own))
    if rows(own, "SELECT id FROM jobs"):
        assert sent(own, "jobs.expired")


def test_a_request_without_a_file_is_told(own: Services, call: Call) -> None:
    for body in (form(("format", None, b"png")), form(("files", "", b""))):
        with pytest.raises(Problem, match="no file") as refused:
            post(own, call, body)
        assert refused.value.code == "no_files"
    assert rows(own, "SELECT id FROM jobs") == []


def test_an_empty_file_with_a_name_is_a_file(own: Services, call: Call) -> None:
    post(own, call, files(("a.png", b""), ("", b"x")))
    assert len(names(own)) == 2


def test_an_empty_option_is_none(own: Services, call: Call) -> None:
    post(own, call, form(("format", None, b""), ("files", "a", b"1")))
    assert json.loads(value(own, "SELECT options::text FROM jobs"))["format"] == "keep"


def test_options_that_are_wrong_are_told_before_anything_is_stored(own: Services, call: Call) -> None:
    with pytest.raises(BadOptions) as refused:
        post(own, call, form(("format", None, b"nonsense"), ("files", "a", b"1")))
    assert refused.value.members["errors"]
    assert "format" in refused.value.detail
    assert rows(own, "SELECT id FROM jobs") == []
    assert stored(own, "uploads") == []


def test_the_files_of_a_zip_are_images(own: Services, call: Call) -> None:
    one, two = picture(colour="#ff0000"), picture(colour="#00ff00")
    post(own, call, files(("a.png", one), ("more.ZIP", packed(("x/b.png", two), ("__MACOSX/x", b"1"))), ("c", one)))
    assert names(own) == ["a.png", "x/b.png", "c"]
    assert own.objects.read("uploads", image_row(own, value(own, "SELECT id FROM jobs"), 2).key, limit=10**9)[0] == two
    assert codes(own) == [None, None, None]


def test_a_zip_by_another_name_is_a_file(own: Services, call: Call) -> None:
    post(own, call, files(("a.docx", packed(("b.png", b"1"))), ("z", packed(("c.png", b"1")))))
    assert names(own) == ["a.docx", "c.png"]


def test_a_broken_zip_is_told_and_the_others_go_on(own: Services, call: Call) -> None:
    post(own, call, files(("a.png", b"1"), ("b.zip", packed(("c", b"1"))[:30]), ("d.png", b"1")))
    assert names(own) == ["a.png", "b.zip", "d.png"]
    assert codes(own) == [None, "broken_zip", None]
    assert value(own, "SELECT reason FROM images WHERE number = 2")


def test_a_broken_entry_is_told_and_the_others_go_on(own: Services, call: Call) -> None:
    data = bytearray(packed(("a.png", b"first"), ("b.png", b"second")))
    data[data.index(b"first")] ^= 1
    locked = bytearray(packed(("c.png", b"third")))
    locked[locked.index(b"PK\1\2") + 8] |= 1
    post(own, call, files(("x.zip", bytes(data)), ("y.zip", bytes(locked))))
    assert names(own) == ["a.png", "b.png", "c.png"]
    assert codes(own) == ["bad_zip_entry", None, "bad_zip_entry"]
    reasons = [reason for (reason,) in rows(own, "SELECT reason FROM images ORDER BY number")]
    assert reasons == ["It is damaged in the ZIP.", None, "It is protected by a password in the ZIP."]


def test_a_zip_has_no_more_files_than_are_left(own: Services, call: Call) -> None:
    few = limited(own, max_files=2)
    with pytest.raises(TooMany):
        post(few, call, files(("a.png", b"1"), ("b.zip", packed(("c", b"1"), ("d", b"1")))))
    assert rows(own, "SELECT state FROM jobs") == [["expired"]]


def test_options_are_kept_up_to_a_limit_in_all(own: Services, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posted, "MAX_OPTION_BYTES", 80)
    room = Room(disk=1)
    with pytest.raises(TooLarge, match="80 bytes"):
        post(own, call, form(*((f"f{number}", None, b"x" * 10) for number in range(9))), room)
    assert room.take_memory(MEMORY_BYTES), "nothing of them is kept"
    assert rows(own, "SELECT id FROM jobs") == []


def test_there_are_not_more_options_than_anybody_needs(own: Services, call: Call) -> None:
    with pytest.raises(Problem, match="more than 100 options"):
        post(own, call, form(*((f"f{number}", None, b"x") for number in range(101))))


def test_names_of_options_are_counted_as_well(own: Services, call: Call) -> None:
    with pytest.raises(TooLarge, match="bytes that they may have"):
        post(own, call, form(*((f"{number}{'a' * 60_000}", None, b"x") for number in range(30))))


def test_options_of_all_jobs_share_the_room(own: Services, call: Call) -> None:
    """And let go of it when they are read."""
    room = Room(memory=1000, disk=1000)
    option = ("text", None, b"x" * 400)
    post(own, call, form(option, ("files", "a.png", b"1")), room)
    assert room.take_memory(700)
    with pytest.raises(Unavailable, match="too many large uploads"):
        post(own, call, form(option, ("files", "a.png", b"1")), room)


@pytest.mark.parametrize(("method", "size"), [("write", 1), ("begin", 9 * MIB)])
def test_what_the_store_refuses_fails_alone(own: Services, call: Call, store: Objects, method: str, size: int) -> None:
    def refuse() -> None:
        raise Refused("EntityTooLarge")

    store.before[method] = refuse
    post(own, call, files(("a.png", bytes(size)), ("b.png", b"2")))
    assert codes(own) == ["refused_by_store", None]
    reason = value(own, "SELECT reason FROM images WHERE number = 1")
    assert reason.startswith("The object store does not take the file: ")


def test_a_store_that_is_away_leaves_nothing(own: Services, call: Call, store: Objects) -> None:
    def away() -> None:
        raise Unavailable

    store.before["write"] = away
    with pytest.raises(Unavailable):
        post(own, call, files(("a.png", b"1")))
    assert rows(own, "SELECT state FROM jobs") == [["expired"]]


def test_an_upload_that_goes_on_after_its_job_was_deleted_is_told_and_leaves_nothing(
    own: Services, call: Call, store: Objects
) -> None:
    store.before["write"] = lambda: change(own, "UPDATE jobs SET state = 'expired'")
    with pytest.raises(Expired):
        post(own, call, files(("a.png", b"1"), ("b.png", b"1")))
    assert stored(own, "uploads") == []


def test_an_upload_that_slept_until_its_image_was_given_up_is_told(own: Services, call: Call, store: Objects) -> None:
    def give_up() -> None:
        change(own, "UPDATE images SET state = 'failed', code = 'not_uploaded'")

    store.before["write"] = give_up
    with pytest.raises(Expired):
        post(own, call, files(("a.png", b"1")))
    assert stored(own, "uploads") == []


def test_an_upload_to_a_job_that_was_deleted_between_two_files_is_told(
    own: Services, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive_all = upload_rows.opening.arrive_all

    def and_delete(*arguments: object, **named: object) -> dict[int, str]:
        outcomes = arrive_all(*arguments, **named)  # type: ignore[arg-type]
        change(own, "UPDATE jobs SET state = 'expired'")
        return outcomes

    monkeypatch.setattr(upload_rows.opening, "arrive_all", and_delete)
    with pytest.raises(Expired, match="while its images were being sent"):
        post(own, call, files(*((f"{number}.png", b"1") for number in range(3 * posted.AT_ONCE))))
    assert len(stored(own, "uploads")) < 3 * posted.AT_ONCE


def test_a_large_file_is_stored_in_parts(own: Services, call: Call) -> None:
    data = bytes(range(256)) * (9 * MIB // 256)
    job = post(own, call, files(("small", b"1"), ("large", data), ("exact", data[: 8 * MIB])))
    for number, size in ((2, 9 * MIB), (3, 8 * MIB)):
        image = image_row(own, job.id, number)
        assert own.objects.read("uploads", image.key, limit=10**9)[0] == data[:size]
        assert (image.bytes, image.etag) == (size, own.objects.stat("uploads", image.key).etag)
        assert str(image.etag).endswith(f"-{-(-size // (8 * MIB))}")


@pytest.mark.parametrize("size", [100, 9 * MIB])
def test_without_room_in_memory_a_file_waits_on_disk(own: Services, call: Call, size: int) -> None:
    room = Room(memory=50, disk=size)
    job = receive(own, call("POST", "/", files(("a", b"x" * size)), **{"Content-Type": FORM}), at_once(room))
    assert own.objects.read("uploads", image_row(own, job.id, 1).key, limit=10**9)[0] == b"x" * size
    assert room.take_memory(50)
    room.take_disk(size)


def test_what_is_stored_takes_no_room(own: Services, call: Call) -> None:
    room = Room(memory=100, disk=0)
    for _ in range(3):
        receive(own, call("POST", "/", files(("a", b"x" * 100)), **{"Content-Type": FORM}), at_once(room))
    assert room.take_memory(100)


def test_without_room_on_disk_as_well_it_is_told(own: Services, call: Call) -> None:
    room = Room(memory=50, disk=99)
    for body in (files(("a", b"x" * 100)), files(("b.zip", packed(("c", b"x" * 100))))):
        with pytest.raises(Unavailable, match="too many large uploads"):
            receive(own, call("POST", "/", body, **{"Content-Type": FORM}), at_once(room))
    assert rows(own, "SELECT state FROM jobs") == []
    assert room.take_memory(50)
    room.take_disk(99)


def test_images_are_stored_side_by_side_and_told_together(
    own: Services, call: Call, store: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(posted.AT_ONCE)
    write, arrive_all = store.write, upload_rows.opening.arrive_all
    told: list[int] = []

    def write_together(*arguments: Any, **named: Any) -> Any:
        together.wait(20)
        return write(*arguments, **named)

    def count(own: Services, job: str, arrivals: list[Any], *, seal: bool) -> dict[int, str]:
        told.append(len(arrivals))
        time.sleep(0.2)
        return arrive_all(own, job, arrivals, seal=seal)

    monkeypatch.setattr(store, "write", write_together)
    monkeypatch.setattr(upload_rows.opening, "arrive_all", count)
    several = 4 * posted.AT_ONCE
    body = files(*((f"{number}.png", b"1") for number in range(several)))
    with ThreadPoolExecutor(several) as threads:
        receive(own, call("POST", "/", body, **{"Content-Type": FORM}), replace(at_once(), storing=threads))
    assert sum(told) == several
    assert len(told) <= several / 2
    assert names(own) == [f"{number}.png" for number in range(several)]


def test_few_entries_are_open_however_many_zips_come(
    own: Services, call: Call, store: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may keep a hundred megabytes; a ZIP that waits for its next turn keeps none."""
    open_now: set[int] = set()
    most = 0
    begin, end = unpack._Unpacked.__init__, unpack._Unpacked.close

    def count(self: Any, *arguments: Any) -> None:
        nonlocal most
        begin(self, *arguments)
        open_now.add(id(self))
        most = max(most, len(open_now))

    def uncount(self: Any) -> None:
        open_now.discard(id(self))
        end(self)

    write = store.write
    monkeypatch.setattr(store, "write", lambda *given, **named: (time.sleep(0.02), write(*given, **named))[1])
    monkeypatch.setattr(unpack._Unpacked, "__init__", count)
    monkeypatch.setattr(unpack._Unpacked, "close", uncount)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        for number in range(4):
            archive.writestr(f"{number}.png", bytes(10_000))
    body = files(("all.zip", out.getvalue()))

    async def all_of_them(by: Workers) -> None:
        calls = [call("POST", "/", body, **{"Content-Type": FORM}) for _ in range(8)]
        await asyncio.gather(*(receive_posted(own, each, pieces(each), by) for each in calls))

    with ThreadPoolExecutor(8) as threads:
        asyncio.run(all_of_them(replace(at_once(), storing=threads, writing=threads, unpacking=threads)))
    assert value(own, "SELECT count(*) FROM images WHERE state = 'waiting'") == 32
    assert 0 < most <= 2


def test_one_image_is_two_statements(own: Services, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = own.database.call

    def count(sql: str, **parameters: Any) -> Any:
        asked.append(sql)
        return ask(sql, **parameters)

    monkeypatch.setattr(own.database, "call", count)
    post(own, call, files(("a.png", b"1")))
    assert len(asked) == 2
    assert value(own, "SELECT state FROM jobs") == "processing"


def test_while_bytes_come_a_job_is_not_given_up(own: Services, call: Call) -> None:
    long_ago = "UPDATE jobs SET progress_at = now() - interval '1 hour'"

    async def slowly() -> AsyncIterator[bytes]:
        body = files(("a.png", b"1"), ("b.png", b"2" * 100_000))
        yield body[:1000]
        while not rows(own, "SELECT FROM jobs"):
            await asyncio.sleep(0.01)
        change(own, long_ago)
        await asyncio.sleep(0.3)
        yield body[1000:2000]
        assert value(own, "SELECT progress_at > now() - interval '1 minute' FROM jobs")
        yield body[2000:]

    event = call("POST", "/", b"", **{"Content-Type": FORM})
    asyncio.run(receive_posted(limited(own, upload_seconds=1), event, slowly(), at_once()))


def test_callers_are_told_where_their_job_is(own: Services, client_of: ClientOf, call: Call) -> None:
    client, body = client_of(handler), files(("a.png", b"1"))

    def answer_to(**headers: str) -> TestResponse:
        received = Future[NewJob]()
        received.set_result(post(own, call, body))
        return client.post("/", headers=headers, environ_overrides={RECEIVED: received})

    answer = answer_to()
    token = value(own, "SELECT token FROM jobs")
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/job/{token}"
    assert answer.json == {"job": token, "page": f"/job/{token}", "status": f"/function/status/{token}"}
    answer = answer_to(Accept="text/html")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/job/")
    assert answer.headers["Location"] != f"/job/{token}"
