"""A new job from the images of another one: what the caller asks, read and checked."""

from typing import Any

from countermark import engine
from countermark.http.calls import Event, json_object, owner_of
from countermark.http.problems import BadOptions, Problem
from countermark.jobs import again
from countermark.jobs.opening import NewJob
from countermark.jobs.reading import find_job, job_options
from countermark.services import Services

WHICH = ("all", "failed")


def open_again(services: Services, token: str, event: Event) -> NewJob:
    """Begin a job with another job's originals.

    Args:
        event: its body may be JSON with ``options`` (default: those of the other job) and ``images``: all of them
            (default), or the failed ones; a form without JavaScript says ``?images=failed``.

    Raises:
        NotFound, Expired: there is no such job, or not any more.
        Problem: the body or the options can't be used, there is no such image, or they are more than a job may have.
    """
    asked = json_object(event.body) if event.body else dict(event.query)
    job = find_job(services, token)
    which = asked.get("images", "all")
    if not isinstance(which, str) or which not in WHICH:
        raise Problem(f"images must be one of {', '.join(WHICH)}.")
    options = _read_options(asked["options"]) if "options" in asked else job_options(services, job.id)
    return again.open_again(services, job, owner_of(event), options, only_failed=which == "failed")


def _read_options(options: Any) -> dict[str, Any]:
    try:
        return engine.load_options(options).model_dump(mode="json")
    except engine.InvalidOptions as error:
        raise BadOptions(str(error), errors=error.errors) from error
