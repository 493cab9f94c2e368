"""Jobs whose images go to the store by links: what may be asked, what is signed, and what becomes of the rest."""

import json
from dataclasses import replace
from typing import Any

import pytest
from countermark.http.problems import BadOptions, Expired, NotFound, Problem, TooLarge, TooMany
from countermark.jobs.keys import direct_key
from countermark.services import Services

from functions.upload import handler
from functions.upload.links import close_job, open_with_links
from tests.functions.conftest import Call, ClientOf, Objects
from tests.jobs.made import change, image_row, job_row, ledger, opened, rows, sent, uploaded, value


def order(own: Services, call: Call, *files: tuple[str, int], **more: Any) -> Any:
    body = {"files": [{"name": name, "size": size} for name, size in files], **more}
    return open_with_links(own, call("POST"), body)


def limited(own: Services, **limits: object) -> Services:
    """The same with other limits."""
    return replace(own, settings=own.settings.model_copy(update=limits))


def test_there_is_a_link_for_each_file(own: Services, call: Call, store: Objects) -> None:
    job, links = order(own, call, ("day/a.png", 3), ("../b.png", 4), options={"format": "png"})
    row = job_row(own, job.id)
    assert (row.token, row.state, row.owner) == (job.token, "processing", "address:192.0.2.1")
    assert json.loads(value(own, "SELECT options::text FROM jobs")) == {"format": "png"}
    assert [(link["number"], link["name"], link["method"]) for link in links] == [
        (1, "day/a.png", "PUT"),
        (2, "b.png", "PUT"),
    ]
    assert [link["url"] for link in links] == [
        f"http://countermark.example/uploads/{direct_key(job.id, number)}" for number in (1, 2)
    ]
    assert [(link["seconds"], link["size"]) for link in store.links] == [
        (own.settings.upload_seconds, 3),
        (own.settings.upload_seconds, 4),
    ]
    assert [(image_row(own, job.id, n).state, image_row(own, job.id, n).bytes) for n in (1, 2)] == [
        ("expected", 3),
        ("expected", 4),
    ]
    assert ledger(own, job.id) == {("uploads", direct_key(job.id, 1)), ("uploads", direct_key(job.id, 2))}


def test_a_job_has_no_more_files_and_bytes_than_it_may(own: Services, call: Call) -> None:
    few = limited(own, max_files=2, max_file_bytes=10, max_job_bytes=15)
    order(few, call, ("a", 10), ("b", 5))
    with pytest.raises(TooMany, match="would have 3 files; at most 2 are allowed"):
        order(few, call, ("a", 1), ("b", 1), ("c", 1))
    with pytest.raises(TooLarge, match="b has 11 bytes; at most 10 are allowed"):
        order(few, call, ("a", 1), ("b", 11))
    with pytest.raises(TooLarge, match="have 16 bytes together; at most 15 are allowed"):
        order(few, call, ("a", 10), ("b", 6))
    assert value(own, "SELECT count(*) FROM jobs") == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "files"),
        ({"files": []}, "files"),
        ({"files": [{"name": "a"}]}, "files.0.size"),
        ({"files": [{"name": "a", "size": 0}]}, "files.0.size"),
        ({"files": [{"name": "x" * 4097, "size": 1}]}, "files.0.name"),
        ({"files": [{"name": "a", "size": 1}], "unknown": 1}, "unknown"),
    ],
)
def test_an_order_that_can_not_be_read_names_the_field(
    own: Services, call: Call, body: dict[str, Any], field: str
) -> None:
    with pytest.raises(Problem, match=field) as refused:
        open_with_links(own, call("POST"), body)
    assert [each["field"] for each in refused.value.members["errors"]] == [field]
    assert refused.value.members["errors"][0]["message"]
    assert rows(own, "SELECT id FROM jobs") == []


def test_wrong_options_are_told_before_the_upload(own: Services, call: Call) -> None:
    order(own, call, ("a", 1), options={"text": "© 2026", "format": "png"})
    with pytest.raises(BadOptions) as refused:
        order(own, call, ("a", 1), options={"text": "© 2026", "format": "nonsense"})
    assert "format" in refused.value.detail
    assert refused.value.members["errors"]


def test_what_has_come_is_kept_when_the_rest_is_given_up(own: Services, call: Call) -> None:
    job, _ = order(own, call, ("a", 1), ("b", 1), ("c", 1))
    other, _ = order(own, call, ("a", 1))
    own.objects.write("uploads", direct_key(job.id, 2), b"2", "image/png")
    own.objects.write("uploads", direct_key(other.id, 1), b"1", "image/png")
    assert close_job(own, job.token) == {"given_up": 2}
    assert [image_row(own, job.id, number).state for number in (1, 2, 3)] == ["failed", "waiting", "failed"]
    failed = image_row(own, job.id, 1)
    assert (failed.code, failed.reason) == ("not_uploaded", "It was not uploaded.")
    came = image_row(own, job.id, 2)
    assert (came.etag, came.bytes) == (own.objects.stat("uploads", came.key).etag, 1)
    assert image_row(own, other.id).state == "expected"
    assert sent(own) == [f"images.waiting.{job.id}.2.1"]
    assert close_job(own, job.token) == {"given_up": 0}


def test_closing_a_posted_job_seals_it_and_takes_nothing_away(own: Services) -> None:
    job = uploaded(own, "a.png", "b.png")
    change(own, "UPDATE jobs SET state = 'receiving'")
    assert close_job(own, job.token) == {"given_up": 0}
    assert job_row(own, job.id).state == "processing"
    assert rows(own, "SELECT DISTINCT state FROM images") == [["waiting"]]


def test_what_is_closed_must_be_there(own: Services) -> None:
    with pytest.raises(NotFound):
        close_job(own, "0" * 32)
    job = opened(own, "a.png")
    change(own, "UPDATE jobs SET state = 'expired'")
    with pytest.raises(Expired):
        close_job(own, job.token)


def test_callers_get_their_links_and_close(own: Services, client_of: ClientOf) -> None:
    client = client_of(handler)
    answer = client.post("/", json={"files": [{"name": "a.png", "size": 1}]})
    assert answer.status_code == 202
    assert answer.json is not None
    token = answer.json["job"]
    assert set(answer.json) == {"job", "page", "status", "uploads"}
    assert answer.json["uploads"][0]["url"].startswith("http://")
    assert client.post(f"/{token}/close").json == {"given_up": 1}
    assert client.get(f"/{token}/close").status_code == 405
    assert client.post(f"/{token}/nothing").status_code == 404
    assert client.post("/nothing/close").status_code == 404
    assert client.delete("/").status_code == 405
    assert client.post("/schema").status_code == 405
    assert client.get(f"/{token}/again").status_code == 405
    assert job_row(own, value(own, "SELECT id FROM jobs")).state == "archiving"


def test_limits_and_formats_are_told_before_the_upload(own: Services, client_of: ClientOf) -> None:
    client = client_of(handler)
    told = client.get("/").json
    assert told is not None
    assert told["limits"] == {
        "files": own.settings.max_files,
        "file_bytes": own.settings.max_file_bytes,
        "job_bytes": own.settings.max_job_bytes,
        "pixels": own.settings.max_pixels,
    }
    assert "JPEG" in told["formats"]
    assert "image/jpeg" in told["accept"]
    assert told["lifetime_seconds"] == own.settings.job_lifetime
    schema = client.get("/schema").json
    assert schema is not None
    assert "tasks" in schema["properties"]
    assert client.head("/").status_code == client.head("/schema").status_code == 200
