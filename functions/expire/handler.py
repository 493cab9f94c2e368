"""expire: deletes every object of a job and what is known of it, when its time is over or its holder says so.

message jobs.expired      the job has expired
DELETE /<job>             at once; POST /<job>/delete is the same for a form without JavaScript
"""

from typing import Any

import structlog
from countermark.http.calls import DONE, Event, is_message, job_token, message_data, path_parts, prefers_html
from countermark.http.problems import WrongMethod
from countermark.jobs import endings
from countermark.jobs.messages import JOBS_EXPIRED
from countermark.services import Services, services
from flask import Response


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a message or a call."""
    own = services()
    if is_message(event, JOBS_EXPIRED):
        job_id = message_data(event, job=str)["job"]
        structlog.contextvars.bind_contextvars(job=job_id)
        endings.delete_objects(own, job_id)
        return DONE
    match event.method, path_parts(event):
        case ("DELETE", [part]) | ("POST", [part, "delete"]):
            token = job_token(part)
        case _:
            raise WrongMethod("DELETE /job/<id> deletes a job with all its files.")
    delete(own, token)
    if event.method == "POST" and prefers_html(event):
        return Response(status=303, headers={"Location": f"/job/{token}"})
    return Response(status=204)


def delete(own: Services, token: str) -> None:
    """Delete a job with all its files, before the answer.

    Raises:
        NotFound: there is no such job. One that is gone already is no error.
    """
    job_id = endings.expire_at_once(own, token)
    structlog.contextvars.bind_contextvars(job=job_id)
    endings.delete_objects(own, job_id)
