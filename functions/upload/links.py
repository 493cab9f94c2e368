"""Jobs whose images go to the object store by presigned links, past the functions."""

from typing import Any

from countermark import engine
from countermark.http.calls import Event, owner_of, public_address
from countermark.http.problems import BadOptions, Problem, TooLarge
from countermark.jobs import opening
from countermark.jobs.keys import direct_key
from countermark.jobs.opening import NewImage, NewJob
from countermark.jobs.reading import find_job
from countermark.names import clean_name
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


def open_with_links(services: Services, event: Event, body: dict[str, Any]) -> tuple[NewJob, list[dict[str, Any]]]:
    """Begin a job and give a link for each of its files; processing starts as each lands.

    Raises:
        Problem: the list, a file or the options are not allowed.
    """
    own = services.settings
    order = _read_order(body)
    for file in order.files:
        if file.size > own.max_file_bytes:
            raise TooLarge(f"{file.name} has {file.size} bytes; at most {own.max_file_bytes} are allowed.")
    opening.require_room(own, [file.size for file in order.files])
    job = opening.new_job()
    images = [
        NewImage(number=number, name=clean_name(file.name), key=direct_key(job.id, number), bytes=file.size)
        for number, file in enumerate(order.files, 1)
    ]
    # It has all its images, so that it completes by itself when the last one has come and ended.
    opening.open_job(services, job, owner_of(event), order.options, images, sealed=True)
    address = public_address(event)
    return job, [
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


def close_job(services: Services, token: str) -> dict[str, int]:
    """End the waiting for files that have not arrived: the caller will not send them any more.

    Returns:
        How many images were given up.

    Raises:
        NotFound, Expired: there is no such job, or not any more.
    """
    job = find_job(services, token)
    opening.take_stored(services, job.id)
    sql = "SELECT number FROM images WHERE job_id = :job AND state = 'expected'"
    missing = [number for (number,) in services.database.rows(sql, job=job.id)]
    given_up = opening.fail_expected(services, job.id, missing, "not_uploaded", "It was not uploaded.")
    opening.seal(services, job.id)
    return {"given_up": given_up}


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
