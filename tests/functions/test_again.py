"""A new job from the images of another one: it shares what is ours and copies what is people's own."""

import json
from dataclasses import replace
from typing import Any

import pytest
from countermark.http.problems import BadOptions, Expired, NotFound, Problem, TooLarge, TooMany, Unavailable
from countermark.jobs import endings
from countermark.servers.objects import Refused
from countermark.services import Services

from functions.upload import again as asked
from functions.upload import handler
from functions.upload.again import open_again
from functions.watermark.process import process
from tests.functions.conftest import Call, ClientOf, Objects
from tests.jobs.made import (
    ALICE,
    BOB,
    change,
    dropped,
    folder_job,
    image_row,
    job_row,
    ledger,
    opened,
    picture,
    rows,
    sent,
    stored,
    uploaded,
    value,
)

PNG = {"format": "png"}


def again(own: Services, call: Call, token: str, **asked: Any) -> Any:
    return open_again(own, token, call("POST", "/", json.dumps(asked).encode() if asked else b""))


def options(own: Services, job_id: str) -> Any:
    return json.loads(value(own, "SELECT options::text FROM jobs WHERE id = :id", id=job_id))


def test_it_has_the_same_images_and_options(own: Services, call: Call) -> None:
    job = uploaded(own, "a.png", "x/b.png", owner=BOB, options=PNG)
    new = again(own, call, job.token)
    assert len({job.id, new.id}) == len({job.token, new.token}) == 2
    row = job_row(own, new.id)
    assert (row.token, row.state, row.owner, options(own, new.id)) == (new.token, "processing", ALICE, PNG)
    for number in (1, 2):
        old, image = image_row(own, job.id, number), image_row(own, new.id, number)
        assert (image.name, image.key, image.etag, image.bytes) == (old.name, old.key, old.etag, old.bytes)
        assert (image.state, image.revision, image.bucket) == ("waiting", 1, "uploads")
    assert [key for _, key in sorted(ledger(own, new.id))] == [image_row(own, job.id, n).key for n in (1, 2)]
    assert {f"images.waiting.{new.id}.{number}.1" for number in (1, 2)} <= set(sent(own))
    process(own, new.id, 1, 1)
    assert image_row(own, new.id).state == "done"


def test_its_images_live_longer_than_the_first_job(own: Services, call: Call) -> None:
    job = uploaded(own, "a.png")
    new = again(own, call, job.token)
    endings.expire(own, job.id, at_once=True)
    endings.delete_objects(own, job.id)
    process(own, new.id, 1, 1)
    assert image_row(own, new.id).state == "done"
    endings.expire(own, new.id, at_once=True)
    endings.delete_objects(own, new.id)
    assert stored(own, "uploads") == stored(own, "results") == []


def test_it_may_have_other_options(own: Services, call: Call) -> None:
    job = uploaded(own, "a.png", options=PNG)
    new = again(own, call, job.token, options={"format": "jpeg"})
    assert options(own, new.id)["format"] == "JPEG"
    with pytest.raises(BadOptions) as refused:
        again(own, call, job.token, options={"format": "nonsense"})
    assert "format" in refused.value.detail
    assert refused.value.members["errors"]
    with pytest.raises(BadOptions):
        again(own, call, job.token, options=[])


def test_it_may_have_the_failed_images_alone(own: Services, call: Call) -> None:
    job = uploaded(own, "a.png", "b.png", "c.png")
    change(own, "UPDATE images SET state = 'failed' WHERE number = 2")
    new = again(own, call, job.token, images="failed")
    assert rows(own, "SELECT number, name FROM images WHERE job_id = :id", id=new.id) == [[1, "b.png"]]
    new = again(own, call, job.token, images="all")
    assert value(own, "SELECT count(*) FROM images WHERE job_id = :id", id=new.id) == 3


def test_a_form_may_say_so_as_well(own: Services, call: Call) -> None:
    job = uploaded(own, "a.png", "b.png")
    change(own, "UPDATE images SET state = 'failed' WHERE number = 2")
    new = open_again(own, job.token, call("POST", query={"images": "failed"}))
    assert rows(own, "SELECT name FROM images WHERE job_id = :id", id=new.id) == [["b.png"]]


@pytest.mark.parametrize("which", ["none", [], {}, None, 1])
def test_what_it_may_have_is_told(own: Services, call: Call, which: Any) -> None:
    job = uploaded(own, "a.png")
    with pytest.raises(Problem, match="images must be one of all, failed"):
        again(own, call, job.token, images=which)


def test_there_must_be_an_image(own: Services, call: Call) -> None:
    job = opened(own, "a.png", "b.png")
    change(own, "UPDATE images SET state = 'failed' WHERE number = 2")
    for which in ("all", "failed"):
        with pytest.raises(Problem, match="no such image") as refused:
            again(own, call, job.token, images=which)
        assert refused.value.code == "no_files"
    assert rows(own, "SELECT id FROM jobs") == [[job.id]]


def test_the_first_job_must_be_there(own: Services, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound):
        again(own, call, "0" * 32)
    job = uploaded(own, "a.png")
    find = asked.find_job
    monkeypatch.setattr(asked, "find_job", lambda *a: (find(*a), change(own, "UPDATE jobs SET state = 'expired'"))[0])
    with pytest.raises(Expired):
        again(own, call, job.token)
    assert rows(own, "SELECT id FROM jobs") == [[job.id]]


def test_what_was_dropped_is_copied(own: Services, call: Call) -> None:
    dropped(own, "wedding/a.png", picture((20, 10)))
    dropped(own, "wedding/b.png")
    job = folder_job(own, "wedding")
    new = again(own, call, job.token)
    image = image_row(own, new.id)
    assert (image.bucket, image.key, image.state) == ("uploads", f"posted/{new.id}/1", "waiting")
    assert own.objects.read("uploads", image.key, limit=10**9)[0] == picture((20, 10))
    assert (image.etag, image.bytes) == (own.objects.stat("uploads", image.key).etag, len(picture((20, 10))))
    assert job_row(own, new.id).state == "processing"
    assert f"images.waiting.{new.id}.2.1" in sent(own)
    own.objects.delete("drop", ["wedding/a.png"])
    process(own, new.id, 1, 1)
    assert (image_row(own, new.id).state, image_row(own, new.id).width) == ("done", 20)


def test_a_dropped_file_that_is_gone_or_replaced_fails_alone(own: Services, call: Call) -> None:
    for name in ("a", "b", "c"):
        dropped(own, f"wedding/{name}.png")
    own.objects.delete("drop", ["wedding/a.png"])
    own.objects.write("drop", "wedding/b.png", picture((30, 30)), "image/png")
    new = again(own, call, folder_job(own, "wedding").token)
    assert [image_row(own, new.id, number).state for number in (1, 2, 3)] == ["failed", "failed", "waiting"]
    image = image_row(own, new.id)
    assert (image.code, image.reason) == ("missing", "The original is not there any more.")


def test_a_dropped_file_that_the_store_does_not_copy_fails_alone(own: Services, call: Call, store: Objects) -> None:
    dropped(own, "wedding/a.png")

    def refuse() -> None:
        raise Refused("AccessDenied")

    store.before["write"] = refuse
    new = again(own, call, folder_job(own, "wedding").token)
    image = image_row(own, new.id)
    assert (image.state, image.code) == ("failed", "missing")
    assert str(image.reason).startswith("The original can't be copied: ")


def test_a_copy_for_a_job_that_was_deleted_meanwhile_is_deleted(own: Services, call: Call, store: Objects) -> None:
    dropped(own, "wedding/a.png")
    store.before["write"] = lambda: change(own, "UPDATE jobs SET state = 'expired' WHERE source = 'upload'")
    again(own, call, folder_job(own, "wedding").token)
    assert stored(own, "uploads") == []


def test_a_store_that_is_away_leaves_no_job(own: Services, call: Call, store: Objects) -> None:
    def away() -> None:
        raise Unavailable

    dropped(own, "wedding/a.png")
    store.before["write"] = away
    with pytest.raises(Unavailable):
        again(own, call, folder_job(own, "wedding").token)
    assert rows(own, "SELECT state FROM jobs WHERE source = 'upload'") == [["expired"]]


def within(own: Services, **limits: int) -> Services:
    """The same with other limits."""
    return replace(own, settings=own.settings.model_copy(update=limits))


def test_what_a_folder_has_too_much_of_is_left_out(own: Services, call: Call) -> None:
    few = within(own, max_files=2)
    for number in range(1, 5):
        dropped(few, f"wedding/{number}.png")
    job = folder_job(own, "wedding")
    new = again(few, call, job.token)
    assert rows(own, "SELECT name FROM images WHERE job_id = :id ORDER BY number", id=new.id) == [["1.png"], ["2.png"]]
    with pytest.raises(Problem) as refused:
        again(few, call, job.token, images="failed")
    assert refused.value.code == "no_files"


@pytest.mark.parametrize(
    ("limits", "problem", "told"),
    [
        ({"max_files": 2}, TooMany, "The job would have 3 files; at most 2 are allowed."),
        ({"max_job_bytes": 299}, TooLarge, "The files have 300 bytes together; at most 299 are allowed."),
    ],
)
def test_it_has_no_more_than_a_job_may(
    own: Services, call: Call, limits: dict[str, int], problem: type[Problem], told: str
) -> None:
    for number in range(1, 4):
        dropped(own, f"wedding/{number}.png", bytes(100))
    job = folder_job(own, "wedding")
    with pytest.raises(problem) as refused:
        again(within(own, **limits), call, job.token)
    assert refused.value.detail == told
    assert rows(own, "SELECT id FROM jobs") == [[job.id]]
    assert stored(own, "uploads") == []
    again(within(own, max_files=3, max_job_bytes=300), call, job.token)


def test_callers_are_told_where_it_is(own: Services, client_of: ClientOf) -> None:
    job = uploaded(own, "a.png")
    answer = client_of(handler).post(f"/{job.token}/again", json={})
    assert answer.status_code == 202
    assert answer.json is not None
    assert answer.json["job"] != job.token
    assert client_of(handler).post(f"/{'0' * 32}/again").status_code == 404
