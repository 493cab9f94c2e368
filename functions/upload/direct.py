"""Jobs whose images go to the object store by presigned links, past the functions."""

from typing import Any

from countermark import engine
from countermark.http.calls import Event, public_address
from countermark.http.problems import BadOptions, Expired, NotFound, Problem, TooLarge, TooMany
from countermark.jobs import Ending, NewImage, new_job_id
from countermark.names import clean_name
from countermark.servers.events import RECONCILE_JOB
from countermark.servers.objects import UPLOADS
from countermark.services import Services
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class File(BaseModel):
    """A file that is to be sent."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str = Field(max_length=4096)
    size: int = Field(ge=1)
    """Bytes; the link takes just so many."""


class Order(BaseModel):
    """What a caller wants links for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: list[File] = Field(min_length=1)
    options: dict[str, Any] = {}


def open_direct(services: Services, event: Event, body: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Begin a job and give a link for each of its files; processing starts as each lands.

    Raises:
        Problem: the list, a file or the options are not allowed.
    """
    own = services.settings
    order = _read_order(body)
    if len(order.files) > own.max_files:
        raise TooMany(f"The job has {len(order.files)} files; at most {own.max_files} are allowed.")
    for file in order.files:
        if file.size > own.max_file_bytes:
            raise TooLarge(f"{file.name} has {file.size} bytes; at most {own.max_file_bytes} are allowed.")
    if (total := sum(file.size for file in order.files)) > own.max_job_bytes:
        raise TooLarge(f"The files have {total} bytes together; at most {own.max_job_bytes} are allowed.")
    job_id = new_job_id()
    images = [
        NewImage(
            number=number,
            name=clean_name(file.name),
            bucket=UPLOADS,
            key=f"direct/{job_id}/{number}",
            bytes=file.size,
        )
        for number, file in enumerate(order.files, 1)
    ]
    deadline = services.jobs.open_job(job_id, order.options, own.upload_seconds, images)
    services.events.schedule(RECONCILE_JOB, {"job": job_id}, name=job_id, at=deadline)
    address = public_address(event)
    return job_id, [
        {
            "number": image.number,
            "name": image.name,
            "method": "PUT",
            "url": services.objects.link_to_put(
                address, UPLOADS, image.key, seconds=own.upload_seconds, size=image.bytes or 0
            ),
        }
        for image in images
    ]


def close_job(services: Services, job_id: str) -> dict[str, int]:
    """End the waiting for files that have not arrived: the caller will not send them any more.

    Returns:
        How many images were given up.

    Raises:
        NotFound, Expired: there is no such job, or not any more.
    """
    job = services.jobs.find_job(job_id)
    if job is None:
        raise NotFound
    if job.state == "expired":
        raise Expired
    arrived = {item.key for item in services.objects.list(UPLOADS, f"direct/{job_id}/")}
    missing = [image.number for image in services.jobs.images(job_id, "waiting") if image.key not in arrived]
    if services.jobs.give_up(job_id, missing, "not_uploaded", "It was not uploaded.") is Ending.COMPLETE:
        services.events.publish_complete(job_id, job.revision)
    return {"given_up": len(missing)}


def _read_order(body: dict[str, Any]) -> Order:
    try:
        order = Order.model_validate(body)
        engine.load_options(order.options)
    except ValidationError as error:
        errors = [{"field": ".".join(map(str, item["loc"])), "message": item["msg"]} for item in error.errors()]
        raise Problem("; ".join(f"{item['field']}: {item['message']}" for item in errors), errors=errors) from None
    except engine.InvalidOptions as error:
        raise BadOptions(str(error), errors=error.errors) from error
    return order
