"""A job whose images have ended gets its ZIP, once, with what is current; whatever goes wrong."""

import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import pytest
from countermark.http.problems import Problem, Unavailable, WrongMethod
from countermark.jobs import images, leases
from countermark.services import Services

from functions.archive import archiving, handler
from functions.archive.archiving import archive
from tests.functions.conftest import Call, Objects
from tests.jobs.made import (
    change,
    dropped,
    folder_job,
    image_row,
    job_row,
    marked,
    result_of,
    rows,
    sent,
    stored,
    taken,
    uploaded,
    value,
)


def complete(own: Services, *names: str) -> str:
    """A job whose images are marked; its id."""
    job = uploaded(own, *names)
    for number in range(1, len(names) + 1):
        marked(own, job.id, number)
    return job.id


def quiet_folder(own: Services, *keys: str) -> str:
    """A folder whose images are marked and which is complete; its job's id."""
    for key in keys:
        dropped(own, key)
    job = folder_job(own, keys[0].rpartition("/")[0])
    for number in range(1, len(keys) + 1):
        marked(own, job.id, number)
    change(own, "UPDATE jobs SET state = 'archiving'")
    return job.id


def unpack(own: Services, job_id: str) -> dict[str, bytes]:
    """The files of a job's ZIP."""
    data, _ = own.objects.read("results", str(job_row(own, job_id).archive_key), limit=10**9)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def result(own: Services, job_id: str, number: int) -> bytes:
    data, _ = own.objects.read("results", str(image_row(own, job_id, number).result_key), limit=10**9)
    return data


NOTE = {"code": "gain_map_dropped", "text": "Its gain map was left out."}


def test_a_job_gets_its_zip_with_every_marked_image_and_a_report(own: Services) -> None:
    job = uploaded(own, "x/a.heic", "b.png", "c.png")
    first = taken(own, job.id, 1)
    noted = replace(result_of(own, first, "x/a.jpg"), notes={NOTE["code"]: NOTE["text"]})
    assert images.finish(own, first, 100, noted) == "x/a.jpg"
    marked(own, job.id, 2)
    change(own, "UPDATE images SET state = 'failed', code = 'bad', reason = 'It is none.' WHERE number = 3")
    change(own, "UPDATE jobs SET state = 'archiving'")
    archive(own, job.id, 0)
    row = job_row(own, job.id)
    assert (row.state, row.archive_bytes) == ("ready", own.objects.stat("results", str(row.archive_key)).bytes)
    assert own.objects.objects["results", row.archive_key].media_type == "application/zip"  # type: ignore[attr-defined]
    files = unpack(own, job.id)
    report: dict[str, Any] = json.loads(files.pop("report.json"))
    assert files == {"x/a.jpg": result(own, job.id, 1), "b.png": result(own, job.id, 2)}
    assert (report["total"], report["done"], report["failed"]) == (3, 2, 1)
    assert report["created_at"] == row.created_at.isoformat()
    assert report["images"] == [
        {"name": "x/a.heic", "state": "done", "file": "x/a.jpg", "code": None, "reason": None, "notes": [NOTE]},
        {"name": "b.png", "state": "done", "file": "b.png", "code": None, "reason": None, "notes": []},
        {"name": "c.png", "state": "failed", "file": None, "code": "bad", "reason": "It is none.", "notes": []},
    ]


def test_a_report_is_read_by_people(own: Services) -> None:
    job = complete(own, "ночь.png")
    archive(own, job, 0)
    report = unpack(own, job)["report.json"].decode()
    assert "ночь.png" in report
    assert report.count("\n") > 5


def test_a_second_message_makes_no_second_zip(own: Services) -> None:
    job = complete(own, "a.png")
    archive(own, job, 0)
    before = stored(own, "results")
    archive(own, job, 0)
    assert stored(own, "results") == before


def test_a_zip_that_is_out_of_date_is_deleted(own: Services, store: Objects) -> None:
    job = complete(own, "a.png")
    store.before["write"] = lambda: change(own, "UPDATE jobs SET revision = 1, lease = NULL, state = 'receiving'")
    archive(own, job, 0)
    assert stored(own, "results") == [image_row(own, job).result_key]
    assert job_row(own, job).archive_key is None


def test_an_outage_gives_the_job_back_uncounted(own: Services, store: Objects) -> None:
    def away() -> None:
        raise Unavailable

    job = complete(own, "a.png")
    store.before["write"] = away
    with pytest.raises(Unavailable):
        archive(own, job, 0)
    assert rows(own, "SELECT state, lease, failures FROM jobs") == [["archiving", None, 0]]


def test_an_error_of_ours_gives_the_job_back_counted(own: Services, store: Objects) -> None:
    def break_down() -> None:
        raise KeyError

    job = complete(own, "a.png")
    store.before["write"] = break_down
    with pytest.raises(KeyError):
        archive(own, job, 0)
    assert rows(own, "SELECT state, lease, failures FROM jobs") == [["archiving", None, 1]]


def test_a_lease_is_kept_while_the_zip_is_made(own: Services, store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed: list[str] = []
    monkeypatch.setattr(archiving.archives, "renew", lambda _own, it: renewed.append(it.lease))
    job = complete(own, "a.png")

    def look() -> None:
        (lease,) = leases._held
        leases._held[lease]()
        assert renewed == [lease] == [value(own, "SELECT lease FROM jobs")]

    store.before["write"] = look
    archive(own, job, 0)
    assert renewed


def test_a_result_that_the_store_has_lost_is_made_again(own: Services) -> None:
    job = complete(own, "a.png", "b.png")
    own.objects.delete("results", [str(image_row(own, job, 2).result_key)])
    archive(own, job, 0)
    assert (image_row(own, job, 2).state, image_row(own, job, 2).revision) == ("waiting", 2)
    assert (job_row(own, job).state, job_row(own, job).archive_key) == ("processing", None)
    assert f"images.waiting.{job}.2.2" in sent(own)
    assert not [key for key in stored(own, "results") if "archive" in key]


def test_a_result_of_another_size_makes_no_zip(own: Services) -> None:
    job = complete(own, "a.png")
    change(own, "UPDATE images SET result_bytes = result_bytes + 1")
    with pytest.raises(Exception, match="bytes were said"):
        archive(own, job, 0)
    assert job_row(own, job).archive_key is None


def test_files_that_were_taken_out_of_the_folder_are_not_in_its_zip(own: Services) -> None:
    job = quiet_folder(own, "wedding/a.png", "wedding/b.png")
    dropped(own, "wedding2/b.png")
    own.objects.delete("drop", ["wedding/b.png"])
    archive(own, job, 0)
    assert set(unpack(own, job)) == {"a.png", "report.json"}
    assert image_row(own, job, 2).state == "removed"
    assert json.loads(unpack(own, job)["report.json"])["total"] == 1


def test_a_folder_is_seen_with_its_zip(own: Services) -> None:
    job = quiet_folder(own, "wedding/a.png")
    own.objects.write("results", "drop/wedding/old.png", b"old", "image/png")
    archive(own, job, 0)
    seen = {key for key in stored(own, "results") if key.startswith("drop")}
    assert seen == {"drop/wedding/a.png", "drop/wedding.zip"}
    assert job_row(own, job).view_etag == own.objects.stat("results", "drop/wedding.zip").etag


def test_files_beside_the_folders_are_a_job_as_well(own: Services) -> None:
    job = quiet_folder(own, "a.png")
    own.objects.write("results", "drop/wedding/b.png", b"another folder's", "image/png")
    own.objects.write("results", "drop/wedding.zip", b"another folder's", "application/zip")
    archive(own, job, 0)
    assert set(unpack(own, job)) == {"a.png", "report.json"}
    seen = {key for key in stored(own, "results") if key.startswith("drop")}
    assert seen == {"drop/a.png", "drop.zip", "drop/wedding/b.png", "drop/wedding.zip"}


def test_nothing_is_published_of_a_folder_that_has_expired(own: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    job = quiet_folder(own, "wedding/a.png")
    before = archiving.find_job_by_id
    monkeypatch.setattr(
        archiving, "find_job_by_id", lambda *a: change(own, "UPDATE jobs SET state = 'expired'") or before(*a)
    )
    archive(own, job, 0)
    assert not [key for key in stored(own, "results") if key.startswith("drop")]


def test_an_upload_is_not_seen(own: Services) -> None:
    job = complete(own, "a.png")
    archive(own, job, 0)
    assert not [key for key in stored(own, "results") if key.startswith("drop")]


def test_a_message_is_done(own: Services, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "services", lambda: own)
    job = complete(own, "a.png")
    body = json.dumps({"version": 1, "job": job, "revision": 0}).encode()
    assert handler.handle(call("POST", "/", body, **{"ce-type": "jobs.complete"}), None)["statusCode"] == 204
    assert job_row(own, job).state == "ready"
    for lacking in ({"job": job}, {"revision": 0}):
        body = json.dumps({"version": 1, **lacking}).encode()
        with pytest.raises(Problem, match="The message has no"):
            handler.handle(call("POST", "/", body, **{"ce-type": "jobs.complete"}), None)


def test_nobody_calls_it(call: Call) -> None:
    with pytest.raises(WrongMethod, match="nobody needs to call this"):
        handler.handle(call("POST"), None)
