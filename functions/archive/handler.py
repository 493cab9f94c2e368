"""archive: streams a job's finished images into one ZIP, with a report; then the job is ready for its hour of life.

message jobs.complete     every image of a job has ended
"""

from typing import Any

from countermark.http.calls import DONE, Event, is_message, message_data
from countermark.http.problems import WrongMethod
from countermark.jobs.messages import JOBS_COMPLETE
from countermark.services import services

from .archiving import archive


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Archive the job that a message names, if that is still to be done."""
    if not is_message(event, JOBS_COMPLETE):
        raise WrongMethod("Archives are made when a job's images have ended; nobody needs to call this.")
    data = message_data(event, job=str, revision=int)
    archive(services(), data["job"], data["revision"])
    return DONE
