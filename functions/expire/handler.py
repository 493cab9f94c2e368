"""expire: deletes every file of a job and what is known of it, when its time is over or its holder says so.

message jobs.expired      the job's time may be over
DELETE /<job>             at once; POST /<job>/delete is the same for a form without JavaScript
"""

from typing import Any

import structlog
from countermark.http.calls import DONE, Event, job_id_of, message_data, message_kind, path_parts, prefers_html
from countermark.http.problems import NotFound, WrongMethod
from countermark.jobs import Job
from countermark.servers.objects import DROP, RESULTS, UPLOADS
from countermark.services import services
from flask import Response

log = structlog.get_logger()


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a message or a call."""
    if message_kind(event):
        expire(message_data(event)["job"], now=False)
        return DONE
    match event.method, path_parts(event):
        case ("DELETE", [part]) | ("POST", [part, "delete"]):
            job_id = job_id_of(part)
        case _:
            raise WrongMethod("DELETE /job/<id> deletes a job with all its files.")
    if services().jobs.find_job(job_id) is None:
        raise NotFound
    expire(job_id, now=True)
    if event.method == "POST" and prefers_html(event):
        return Response(status=303, headers={"Location": f"/job/{job_id}"})
    return Response(status=204)


def expire(job_id: str, *, now: bool) -> None:
    """Delete the job's files, then its rows; broken off in between, it is done again from the start."""
    structlog.contextvars.bind_contextvars(job=job_id)
    own = services()
    job = own.jobs.expire(job_id, now=now)
    if job is None:
        log.info("nothing to expire")
        return
    results, originals = files_of(job)
    own.objects.delete(RESULTS, results)
    for bucket, keys in originals.items():
        own.objects.delete(bucket, keys)
    own.jobs.forget(job_id)
    log.info("job expired", results=len(results), originals=sum(map(len, originals.values())))


def files_of(job: Job) -> tuple[list[str], dict[str, list[str]]]:
    """Keys of the job's results, and of its originals by bucket."""
    images = services().jobs.images(job.id)
    results = [image.result_key for image in images if image.result_key]
    results += [f"{job.id}/{image.number}" for image in images if image.bucket == UPLOADS]
    originals: dict[str, list[str]] = {}
    for image in images:
        originals.setdefault(image.bucket, []).append(image.key)
    if job.source == "drop":
        originals.setdefault(DROP, []).append(f"{job.folder}/countermark.json" if job.folder else "countermark.json")
    if job.archive_key:
        results.append(job.archive_key)
    return list(dict.fromkeys(results)), originals
