"""A new job from the images of another one, without sending them again."""

from typing import Any

from countermark import engine
from countermark.http.calls import Event, json_object
from countermark.http.problems import BadOptions, Expired, NotFound, Problem
from countermark.jobs import Ending, Image, NewImage, new_job_id
from countermark.servers.events import RECONCILE_JOB, ObjectCreated
from countermark.servers.objects import UPLOADS, NoSuchObject
from countermark.services import Services


def open_again(services: Services, job_id: str, event: Event) -> str:
    """Begin a job with copies of another job's originals.

    Args:
        event: its body may be JSON with ``options`` (default: those of the other job) and ``images``: all of them
            (default), or the failed ones; a form without JavaScript says ``?images=failed``.

    Returns:
        The new job's id.

    Raises:
        NotFound, Expired: there is no such job, or not any more.
        Problem: the body or the options can't be used, or there is no such image.
    """
    asked = json_object(event.body) if event.body else dict(event.query)
    job = services.jobs.find_job(job_id)
    if job is None:
        raise NotFound
    if job.state == "expired":
        raise Expired
    originals = _originals(services, job_id, asked.get("images", "all"))
    options = _read_options(asked["options"]) if "options" in asked else services.jobs.options(job_id)
    if not originals:
        raise Problem("The job has no such image.", code="no_files")
    new_id = new_job_id()
    deadline = services.jobs.open_job(new_id, options, services.settings.upload_seconds)
    services.events.schedule(RECONCILE_JOB, {"job": new_id}, name=new_id, at=deadline)
    for number, original in enumerate(originals, 1):
        _copy(services, new_id, number, original)
    if services.jobs.seal(new_id) is Ending.COMPLETE:
        services.events.publish_complete(new_id, 0)
    return new_id


def _originals(services: Services, job_id: str, which: object) -> list[Image]:
    if which not in {"all", "failed"}:
        raise Problem("images is one of all, failed.")
    images = services.jobs.images(job_id, "failed" if which == "failed" else "")
    return [image for image in images if image.code != "not_uploaded"]


def _read_options(options: Any) -> dict[str, Any]:
    try:
        return engine.load_options(options).model_dump(mode="json")
    except engine.InvalidOptions as error:
        raise BadOptions(str(error), errors=error.errors) from error


def _copy(services: Services, job_id: str, number: int, original: Image) -> None:
    image = NewImage(number=number, name=original.name, bucket=UPLOADS, key=f"posted/{job_id}/{number}")
    services.jobs.add_image(job_id, image)
    try:
        services.objects.copy(original.bucket, original.key, image.bucket, image.key)
    except NoSuchObject:  # it never arrived, or its job has just expired
        services.jobs.give_up(job_id, [number], "missing", "The original is not there any more.")
    else:
        services.events.publish_created(ObjectCreated(bucket=image.bucket, key=image.key))
