"""Nobody lists or reads what is another's, and what is internal stays inside."""

import json
from typing import Any

import httpx
import psutil
import pytest
from countermark.servers.notifications import ObjectCreated, created_record

from tests.client import Caller, picture


@pytest.mark.parametrize("path", ["/uploads", "/uploads/", "/results?list-type=2", "/drop/", "/results/?location"])
def test_nobody_lists_a_bucket(caller: Caller, path: str) -> None:
    assert caller.http.get(path).status_code in {403, 404}


def test_nobody_reads_an_object_without_a_link(caller: Caller) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    for path in (f"/uploads/posted/{job}/1", f"/results/{job}/1", f"/results/{job}.zip"):
        assert caller.http.get(path).status_code == 403
        assert caller.http.put(path, content=b"x").status_code == 403


def test_a_link_to_one_object_opens_no_other(caller: Caller) -> None:
    jobs = [caller.upload([("a.jpg", picture())]) for _ in range(2)]
    for job in jobs:
        caller.wait(job)
    link = caller.http.get(f"/job/{jobs[0]}/images/1").headers["Location"]
    assert caller.http.get(link).status_code == 200
    assert caller.http.get(link.replace(jobs[0], jobs[1])).status_code == 403


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


def test_a_message_from_outside_is_not_taken(caller: Caller) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    for function in ("reconcile", "expire", "archive"):
        answer = caller.http.post(f"/function/{function}", json={"job": job}, headers={"ce-type": "jobs.expired"})
        assert answer.status_code == 404
    record = created_record(ObjectCreated(bucket="uploads", key=f"posted/{job}/1"))
    answer = caller.http.post("/function/watermark", json=record, headers={"ce-type": "objects.created.uploads"})
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


def test_secrets_are_in_no_log_and_in_no_command_line(platform: Any) -> None:
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
