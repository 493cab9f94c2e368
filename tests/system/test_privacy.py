"""Nobody lists or reads what is another's, and what is internal stays inside."""

import json

import httpx
import psutil
import pytest

from tests.client import Caller, picture, unpack
from tests.platform_driver import Platform
from tests.system.objects import Objects
from tests.system.rows import Rows


@pytest.mark.parametrize("path", ["/uploads", "/uploads/", "/results?list-type=2", "/drop/", "/results/?location"])
def test_nobody_lists_a_bucket(caller: Caller, path: str) -> None:
    assert caller.http.get(path).status_code in {403, 404}


def test_nobody_reads_an_object_without_a_link(caller: Caller, objects: Objects, rows: Rows) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    there = objects.of(rows.id_of(job))
    assert len(there) == 3
    for path in there:
        assert caller.http.get(f"/{path}").status_code == 403
        assert caller.http.put(f"/{path}", content=b"x").status_code == 403


def test_a_link_to_one_object_opens_no_other(caller: Caller) -> None:
    links = []
    for _ in range(2):
        job = caller.upload([("a.jpg", picture())])
        caller.wait(job)
        links.append(caller.http.get(f"/job/{job}/images/1").headers["Location"])
    assert caller.http.get(links[0]).status_code == 200
    (first, query), (second, _) = (link.split("?") for link in links)
    assert first != second
    assert caller.http.get(f"{second}?{query}").status_code == 403


def test_what_opens_a_job_is_in_no_key_message_or_zip(caller: Caller, objects: Objects, platform: Platform) -> None:
    caller.drop("secret/a.jpg", picture())
    dropped = json.loads(unpack(caller.result("secret.zip"))["report.json"])
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    assert objects.of(job) == []
    assert all(job.encode() not in data for data in caller.archive(job).values())
    assert caller.http.get(f"/function/status/{dropped.get('job', '0' * 32)}").status_code == 404
    assert job not in platform.logs("watermark") + platform.logs("archive") + platform.logs("connector")


def test_the_keys_of_the_drop_bucket_open_no_other_bucket(caller: Caller) -> None:
    caller.drop("private/a.jpg", picture())
    for bucket in ("uploads", "results"):
        with pytest.raises(caller.s3.exceptions.ClientError, match="AccessDenied"):
            caller.s3.put_object(Bucket=bucket, Key="x", Body=b"x")
        with pytest.raises(caller.s3.exceptions.ClientError, match=r"AccessDenied|404"):
            caller.s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("path", ["/function/upload/metrics", "/function/watermark/_/health", "/metrics", "/webhook"])
def test_what_is_internal_is_not_public(caller: Caller, path: str) -> None:
    assert caller.http.get(path).status_code == 404


def test_a_message_from_outside_is_not_taken(caller: Caller, rows: Rows) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    for function in ("reconcile", "expire", "archive", "drop"):
        answer = caller.http.post(f"/function/{function}", json={"job": job}, headers={"ce-type": "jobs.expired"})
        assert answer.status_code == 404
    for function, kind in (("watermark", "images.waiting"), ("preview", "images.waiting")):
        message = {"version": 1, "job": rows.id_of(job), "number": 1, "revision": 1}
        answer = caller.http.post(f"/function/{function}", json=message, headers={"ce-type": kind})
        assert answer.status_code == 422, "it must be taken for an image that somebody sends"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/cloudevents+json",
        "Application/CloudEvents+JSON; charset=utf-8",
        "application/cloudevents-batch+json",
    ],
)
def test_a_message_in_structured_mode_from_outside_is_refused(caller: Caller, media_type: str) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    message = {"specversion": "1.0", "id": "1", "source": "/outside", "type": "jobs.expired", "data": {"job": job}}
    for path in ("/function/watermark", "/function/upload", f"/job/{job}/delete"):
        answer = caller.http.post(path, content=json.dumps(message), headers={"Content-Type": media_type})
        assert (answer.status_code, answer.json()["code"]) == (415, "wrong_media_type")
    assert caller.http.get(f"/job/{job}", headers={"Accept": "application/json"}).json()["state"] == "ready"


def test_secrets_are_in_no_log_and_in_no_command_line(platform: Platform) -> None:
    values = [platform.secret(name) for name in ("s3-secret-key", "drop-secret-key", "webhook-token")]
    logs = [path.read_text(errors="replace") for path in (platform.data / "logs").rglob("*") if path.is_file()]
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert logs
    for value in values:
        assert not [text for text in logs + lines if value in text]


def test_a_presigned_link_is_on_the_address_that_the_caller_used(caller: Caller) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    assert httpx.URL(caller.http.get(f"/job/{job}/archive").headers["Location"]).netloc == httpx.URL(caller.url).netloc
