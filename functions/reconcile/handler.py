"""reconcile: finds what a lost message would leave behind, and lets jobs end whose time has come.

message reconcile.all     on a schedule and at the start of the platform
message reconcile.job     a job's deadline has passed, or its drop folder has gone quiet
message reconcile.failed  the connector gave a message up
"""

from typing import Any

import structlog
from countermark.http.calls import DONE, Event, message_data, message_kind
from countermark.http.problems import Problem, WrongMethod
from countermark.jobs import Ending
from countermark.servers.events import JOB_COMPLETE, JOB_EXPIRED, OBJECT_CREATED, ObjectCreated, read_created
from countermark.services import services

from .sweep import settle, sweep

log = structlog.get_logger()


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a message."""
    match message_kind(event):
        case None:
            raise WrongMethod("The reconciliation runs on a schedule; nobody needs to call this.")
        case "reconcile.job":
            settle(services(), message_data(event)["job"])
        case "reconcile.failed":
            give_up(message_data(event))
        case _:
            sweep(services())
    return DONE


def _readable(data: dict[str, Any]) -> list[ObjectCreated]:
    """The objects that a message tells of; none when it was given up because nobody can read it."""
    try:
        return list(read_created(data))
    except Problem:
        return []


def give_up(failed: dict[str, Any]) -> None:
    """End what was waiting for a message that nobody could handle, so that its job ends."""
    own = services()
    subject, data = failed["subject"], failed["data"]
    log.warning("message given up", subject=subject, reason=failed["reason"])
    if subject.startswith(OBJECT_CREATED):
        for created in _readable(data):
            found = own.jobs.find_image(created.bucket, created.key)
            if found is None:
                continue
            job, image = found
            ending = own.jobs.fail_image(image, "given_up", "It could not be processed, also after several attempts.")
            if ending is Ending.COMPLETE:
                own.events.publish_complete(job.id, job.revision)
    elif subject == JOB_COMPLETE and "job" in data:
        reason = "The archive could not be made, also after several attempts."
        expires_at = own.jobs.fail_job(data["job"], reason, lifetime=own.settings.job_lifetime)
        if expires_at:
            own.events.schedule(JOB_EXPIRED, {"job": data["job"]}, name=data["job"], at=expires_at)
