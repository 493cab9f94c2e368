"""An image that waits is marked once, whatever goes wrong; who worked in vain leaves nothing."""

import io
import json
from dataclasses import replace

import pytest
from countermark import engine
from countermark.http.problems import Problem, Unavailable, WrongMethod
from countermark.jobs import folders, images, leases
from countermark.servers.objects import Refused
from countermark.services import Services
from PIL import Image

from functions.watermark import handler, process
from functions.watermark.process import options_of
from tests.functions.conftest import Call, ClientOf, Objects
from tests.jobs.made import (
    change,
    dropped,
    folder_job,
    image_row,
    job_row,
    ledger,
    picture,
    rows,
    sent,
    stored,
    uploaded,
    value,
)

HALF = {"tasks": [{"task": "resize", "width": 8, "height": 8}], "format": "png"}


def size_of(own: Services, key: str) -> tuple[int, int]:
    data, _ = own.objects.read("results", key, limit=10**9)
    return Image.open(io.BytesIO(data)).size


def test_an_image_is_marked_as_its_job_asks(own: Services) -> None:
    job = uploaded(own, "a.gif", data=picture(kind="GIF"), options=HALF)
    process.process(own, job.id, 1, 1)
    row = image_row(own, job.id)
    assert (row.state, row.format, row.width, row.height, row.result_name) == ("done", "PNG", 8, 8, "a.png")
    assert size_of(own, str(row.result_key)) == (8, 8)
    stored_bytes = own.objects.stat("results", str(row.result_key)).bytes
    assert (row.bytes, row.result_bytes) == (len(picture(kind="GIF")), stored_bytes)
    assert own.objects.objects["results", row.result_key].media_type == "image/png"  # type: ignore[attr-defined]
    assert job_row(own, job.id).state == "archiving"


def test_what_a_person_should_know_of_a_result_is_noted_and_forgotten_with_it(own: Services) -> None:
    deep = Image.new("F", (40, 30), 0.5)
    deep.putpixel((3, 3), 7)
    data = io.BytesIO()
    deep.save(data, "TIFF")
    job = uploaded(own, "a.tif", data=data.getvalue(), options={"tasks": []})
    process.process(own, job.id, 1, 1)
    assert image_row(own, job.id).notes == [
        {"code": "values_stretched", "text": engine.NOTES["values_stretched"]},
    ]
    other = uploaded(own, "b.tif", data=picture(), options=HALF)
    process.process(own, other.id, 1, 1)
    assert image_row(own, other.id).notes == []


def test_the_name_and_the_number_of_an_image_can_stand_in_its_mark(own: Services) -> None:
    """Else the text would be the same for all."""
    mark = {"tasks": [{"task": "watermark", "text": "{name} {number}", "size": 0.9}], "format": "png"}
    job = uploaded(own, "x/one.png", "x/two.png", options=mark, data=picture((200, 100)))
    process.process(own, job.id, 1, 1)
    process.process(own, job.id, 2, 1)
    same = uploaded(own, "one.png", options=mark, data=picture((200, 100)))
    process.process(own, same.id, 1, 1)
    etags = [
        own.objects.stat("results", str(image_row(own, job_id, number).result_key)).etag
        for job_id, number in ((job.id, 1), (job.id, 2), (same.id, 1))
    ]
    assert etags[0] != etags[1]
    assert etags[0] == etags[2], "it is called the same in another folder"


def test_a_second_message_does_nothing(own: Services) -> None:
    job = uploaded(own, "a.png", "b.png")
    process.process(own, job.id, 1, 1)
    before = stored(own, "results")
    process.process(own, job.id, 1, 1)
    assert stored(own, "results") == before


def test_a_dropped_image_is_seen_at_once(own: Services) -> None:
    dropped(own, "wedding/a.png")
    job = folder_job(own, "wedding")
    process.process(own, job.id, 1, 1)
    assert "drop/wedding/a.png" in stored(own, "results")
    row = image_row(own, job.id)
    assert row.view_etag == own.objects.stat("results", "drop/wedding/a.png").etag


def test_an_upload_is_not_seen(own: Services) -> None:
    job = uploaded(own, "a.png")
    process.process(own, job.id, 1, 1)
    assert stored(own, "results") == [image_row(own, job.id).result_key]


def test_who_worked_in_vain_deletes_what_he_made_and_nothing_else(own: Services, store: Objects) -> None:
    job = uploaded(own, "a.png", "b.png")

    def another_does_it() -> None:
        lease = value(own, "SELECT lease FROM images WHERE number = 1")
        images.release(own, job.id, 1, lease, counted=True)
        process.process(own, job.id, 1, 1)

    store.before["write"] = another_does_it
    process.process(own, job.id, 1, 1)
    row = image_row(own, job.id)
    assert row.state == "done"
    assert stored(own, "results") == [row.result_key]


def test_a_job_that_is_deleted_meanwhile_gets_nothing(own: Services, store: Objects) -> None:
    job = uploaded(own, "a.png")
    store.before["write"] = lambda: change(own, "UPDATE jobs SET state = 'expired'")
    process.process(own, job.id, 1, 1)
    assert stored(own, "results") == []


def test_what_is_no_image_fails_with_the_engines_words(own: Services) -> None:
    job = uploaded(own, "a.png", data=b"no picture")
    process.process(own, job.id, 1, 1)
    row = image_row(own, job.id)
    assert (row.state, row.code) == ("failed", "not_an_image")
    assert row.reason
    assert stored(own, "results") == []


def test_options_that_can_not_be_used_fail_every_image(own: Services) -> None:
    own.objects.write("drop", "w/countermark.json", b"{", "application/json")
    dropped(own, "w/a.png")
    job = folder_job(own, "w")
    process.process(own, job.id, 1, 1)
    row = image_row(own, job.id)
    assert (row.state, row.code) == ("failed", "invalid_options")
    assert row.reason == job.options_problem
    assert "countermark.json" in str(row.reason)


def test_a_file_that_is_too_large_fails(own: Services) -> None:
    small = replace_limits(own, max_file_bytes=10)
    job = uploaded(own, "a.png", data=b"x" * 11)
    process.process(small, job.id, 1, 1)
    row = image_row(own, job.id)
    assert (row.state, row.code) == ("failed", "file_too_large")
    assert row.reason == "The file is larger than the 0 MiB that are allowed."
    large = replace_limits(own, max_file_bytes=3 * 1024 * 1024)
    job = uploaded(own, "a.png", data=b"x" * (3 * 1024 * 1024 + 1))
    process.process(large, job.id, 1, 1)
    assert image_row(own, job.id).reason == "The file is larger than the 3 MiB that are allowed."


def replace_limits(own: Services, **limits: object) -> Services:
    """The same with other settings."""
    return replace(own, settings=own.settings.model_copy(update=limits))


def test_an_image_has_no_more_pixels_than_it_may(own: Services) -> None:
    few = replace_limits(own, max_pixels=10)
    job = uploaded(own, "a.png")
    process.process(few, job.id, 1, 1)
    assert image_row(own, job.id).code == "too_many_pixels"


def test_an_original_that_is_gone_is_missing(own: Services) -> None:
    job = uploaded(own, "a.png")
    own.objects.delete("uploads", [image_row(own, job.id).key])
    process.process(own, job.id, 1, 1)
    row = image_row(own, job.id)
    assert (row.state, row.code) == ("failed", "missing")
    assert row.reason == "The file was deleted before it could be processed."


def test_a_dropped_file_that_was_taken_away_leaves_the_job(own: Services) -> None:
    dropped(own, "wedding/a.png")
    own.objects.delete("drop", ["wedding/a.png"])
    job = folder_job(own, "wedding")
    process.process(own, job.id, 1, 1)
    row = image_row(own, job.id)
    assert (row.state, row.code, row.reason) == ("removed", "removed", "The file was taken out of the folder.")


def test_a_file_that_was_replaced_is_marked_as_the_next_revision(own: Services) -> None:
    dropped(own, "wedding/a.png")
    job = folder_job(own, "wedding")
    own.objects.write("drop", "wedding/a.png", picture((30, 20)), "image/png")
    process.process(own, job.id, 1, 1)
    row = image_row(own, job.id)
    item = own.objects.stat("drop", "wedding/a.png")
    assert (row.state, row.revision, row.etag, row.bytes) == ("waiting", 2, item.etag, item.bytes)
    assert f"images.waiting.{job.id}.1.2" in sent(own)
    process.process(own, job.id, 1, 2)
    assert (image_row(own, job.id).width, image_row(own, job.id).state) == (30, "done")


def test_a_file_that_was_replaced_and_then_taken_away_leaves_the_job(own: Services, store: Objects) -> None:
    dropped(own, "wedding/a.png")
    own.objects.write("drop", "wedding/a.png", picture((30, 20)), "image/png")
    stat = store.stat
    store.stat = lambda bucket, key: store.delete(bucket, [key]) or stat(bucket, key)  # type: ignore[method-assign]
    job = folder_job(own, "wedding")
    process.process(own, job.id, 1, 1)
    assert image_row(own, job.id).state == "removed"


def test_what_the_store_refuses_fails(own: Services, store: Objects) -> None:
    def refuse() -> None:
        raise Refused("AccessDenied")

    job = uploaded(own, "a.png")
    store.before["read"] = refuse
    process.process(own, job.id, 1, 1)
    row = image_row(own, job.id)
    assert (row.state, row.code) == ("failed", "refused_by_store")
    assert str(row.reason).startswith("The object store does not give or take the file: ")


def test_an_outage_gives_the_image_back_uncounted(own: Services, store: Objects) -> None:
    def away() -> None:
        raise Unavailable

    job = uploaded(own, "a.png")
    store.before["write"] = away
    with pytest.raises(Unavailable):
        process.process(own, job.id, 1, 1)
    assert rows(own, "SELECT lease, failures, state FROM images") == [[None, 0, "waiting"]]


def test_an_error_of_ours_gives_the_image_back_counted(own: Services, store: Objects) -> None:
    def break_down() -> None:
        raise KeyError

    job = uploaded(own, "a.png")
    store.before["write"] = break_down
    with pytest.raises(KeyError):
        process.process(own, job.id, 1, 1)
    assert rows(own, "SELECT lease, failures, state FROM images") == [[None, 1, "waiting"]]


def test_a_lease_is_kept_while_it_is_worked_on(own: Services, store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(process.images, "renew", lambda _own, taken: seen.append(taken.lease))
    job = uploaded(own, "a.png")

    def look() -> None:
        (lease,) = leases._held
        leases._held[lease]()
        assert seen == [lease] == [image_row(own, job.id).lease]

    store.before["write"] = look
    process.process(own, job.id, 1, 1)
    assert seen


def test_options_are_read_once_and_again_when_they_change(own: Services) -> None:
    dropped(own, "w/a.png")
    job = folder_job(own, "w")
    first = options_of(own, job.id, job.options_hash)
    assert options_of(own, job.id, job.options_hash) is first
    own.objects.write("drop", "w/countermark.json", json.dumps(HALF).encode(), "application/json")
    folders.take(own, own.objects.stat("drop", "w/countermark.json"))
    job = folder_job(own, "w")
    assert options_of(own, job.id, job.options_hash) != first


# ---- calls --------------------------------------------------------------------------------------------------------


MESSAGE = {"ce-type": "images.waiting", "Content-Type": "application/json"}


def test_a_message_is_done(own: Services, client_of: ClientOf) -> None:
    job = uploaded(own, "a.png")
    body = json.dumps({"version": 1, "job": job.id, "number": 1, "revision": 1})
    assert client_of(handler).post("/", data=body, headers=MESSAGE).status_code == 204
    assert image_row(own, job.id).state == "done"
    assert ("results", image_row(own, job.id).result_key) in ledger(own, job.id)


@pytest.mark.parametrize("lacking", ["job", "number", "revision", "version"])
def test_a_message_must_say_which_image(lacking: str, client_of: ClientOf) -> None:
    data = {"version": 1, "job": "x", "number": 1, "revision": 1}
    del data[lacking]
    answer = client_of(handler).post("/", data=json.dumps(data), headers=MESSAGE)
    assert answer.status_code == 400
    assert lacking in answer.text


def test_an_image_is_answered_marked(call: Call) -> None:
    answer = handler.handle(call("POST", "/", picture((200, 100)), query={"text": "© 2026", "format": "png"}), None)
    marked = Image.open(io.BytesIO(answer.data))
    assert (answer.mimetype, marked.size) == ("image/png", (200, 100))
    assert len(marked.getcolors(maxcolors=100_000) or []) > 1
    assert "Countermark-Notes" not in answer.headers


def test_a_call_is_told_what_a_person_should_know_of_the_answer(call: Call) -> None:
    data = io.BytesIO()
    Image.linear_gradient("L").convert("F").save(data, "TIFF")
    answer = handler.handle(call("POST", "/", data.getvalue(), query={"position": "center"}), None)
    assert answer.headers["Countermark-Notes"] == "values_stretched"


def test_other_calls_are_refused(call: Call) -> None:
    with pytest.raises(WrongMethod, match="POST an image"):
        handler.handle(call("GET"), None)
    with pytest.raises(Problem) as refused:
        handler.handle(call("POST", "/elsewhere"), None)
    assert refused.value.status == 404
