"""archive: streams a job's finished images into one ZIP, with a report; then the job is ready for its hour of life."""

from typing import Any

import structlog
from countermark.http.calls import DONE, Event, message_data, message_kind
from countermark.http.problems import WrongMethod
from countermark.servers.events import JOB_EXPIRED
from countermark.services import services

from .zip import write_zip

log = structlog.get_logger()


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Archive the job that a message names, if that is still to be done."""
    if not message_kind(event):
        raise WrongMethod("Archives are made when a job's images have ended; nobody needs to call this.")
    job_id = message_data(event)["job"]
    structlog.contextvars.bind_contextvars(job=job_id)
    own = services()
    job = own.jobs.find_job(job_id)
    if job is None or job.state != "archiving":
        log.info("nothing to archive", state=job and job.state)
        return DONE
    images = own.jobs.images(job_id)
    key, size = write_zip(own.objects, job, images)
    done = sum(image.state == "done" for image in images)
    expires_at = own.jobs.finish_archive(job, key, size, done=done, lifetime=own.settings.job_lifetime)
    if expires_at is None:
        return discard(job_id, key)
    own.events.schedule(JOB_EXPIRED, {"job": job_id}, name=job_id, at=expires_at)
    log.info("job ready", images=len(images), done=done, bytes=size)
    return DONE


def discard(job_id: str, key: str) -> Any:
    """The job went on while its ZIP was made. A deleted job keeps no ZIP; an opened one will make it again."""
    job = services().jobs.find_job(job_id)
    if job is None or job.state == "expired":
        services().objects.delete("results", [key])
    log.info("archive out of date", state=job and job.state)
    return DONE
