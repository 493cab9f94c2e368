"""Presigned links to what was made of a job; they end with the job."""

from datetime import UTC, datetime
from pathlib import PurePosixPath

from countermark.http.calls import Event, public_address
from countermark.http.problems import NotFound
from countermark.jobs import Image, Job
from countermark.servers.objects import RESULTS
from countermark.services import services

from .document import archive_name, find_job


def archive_link(event: Event, job_id: str) -> str:
    """A link to the ZIP.

    Raises:
        NotFound, Expired: there is no such job, or no ZIP of it (yet).
    """
    job, _ = find_job(job_id)
    if job.archive_key is None or job.state not in {"ready", "failed"}:
        raise NotFound("The ZIP is not ready yet.", code="not_ready")
    return _link(event, job, RESULTS, job.archive_key, archive_name(job), inline=False)


def image_link(event: Event, job_id: str, number: str) -> str:
    """A link to one marked image.

    Raises:
        NotFound, Expired: there is no such job, or no result of this image (yet).
    """
    job, image = _find(job_id, number)
    if image.result_key is None or image.state != "done":
        raise NotFound("There is no marked copy of this image (yet).", code="not_ready")
    name = PurePosixPath(image.result_name or image.name).name
    return _link(event, job, RESULTS, image.result_key, name, inline="download" not in event.query)


def original_link(event: Event, job_id: str, number: str) -> str:
    """A link to what an image was before it was marked.

    Raises:
        NotFound, Expired: there is no such job or image.
    """
    job, image = _find(job_id, number)
    return _link(event, job, image.bucket, image.key, PurePosixPath(image.name).name, inline=True)


def _find(job_id: str, number: str) -> tuple[Job, Image]:
    job, _ = find_job(job_id)
    image = services().jobs.image(job_id, int(number)) if number.isdecimal() and len(number) < 7 else None
    if image is None:
        raise NotFound
    return job, image


def _link(event: Event, job: Job, bucket: str, key: str, name: str, *, inline: bool) -> str:
    own = services()
    left = job.expires_at - datetime.now(UTC) if job.expires_at else None
    seconds = min(int(left.total_seconds()), own.settings.job_lifetime) if left else own.settings.job_lifetime
    return own.objects.link_to_get(public_address(event), bucket, key, seconds=seconds, name=name, inline=inline)
