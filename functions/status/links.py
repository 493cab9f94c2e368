"""Presigned links to what was made of a job; they end with the job."""

from pathlib import PurePosixPath

from countermark.http.calls import Event, public_address
from countermark.http.problems import NotFound
from countermark.jobs.reading import find_image, find_job
from countermark.jobs.rows import Job
from countermark.jobs.states import ENDED, ImageState
from countermark.servers.objects import RESULTS
from countermark.services import Services

from .document import archive_name


def archive_link(own: Services, event: Event, token: str) -> str:
    """A link to the ZIP.

    Raises:
        NotFound, Expired: there is no such job, or no ZIP of it (yet).
    """
    job = find_job(own, token)
    if job.archive_key is None or job.state not in ENDED:
        raise NotFound("The ZIP is not ready yet.", code="not_ready")
    return _link(own, event, job, RESULTS, job.archive_key, archive_name(job), inline=False)


def image_link(own: Services, event: Event, token: str, number: str) -> str:
    """A link to one marked image.

    Raises:
        NotFound, Expired: there is no such job, or no result of this image (yet).
    """
    job, image = find_image(own, token, number)
    if image.result_key is None or image.state != ImageState.DONE:
        raise NotFound("There is no marked copy of this image (yet).", code="not_ready")
    name = PurePosixPath(image.result_name).name
    return _link(own, event, job, RESULTS, image.result_key, name, inline="download" not in event.query)


def original_link(own: Services, event: Event, token: str, number: str) -> str:
    """A link to what an image was before it was marked.

    Raises:
        NotFound, Expired: there is no such job or image.
    """
    job, image = find_image(own, token, number)
    return _link(own, event, job, image.bucket, image.key, PurePosixPath(image.name).name, inline=True)


def _link(own: Services, event: Event, job: Job, bucket: str, key: str, name: str, *, inline: bool) -> str:
    left = job.expires_at - job.read_at if job.expires_at else None
    seconds = min(int(left.total_seconds()), own.settings.job_lifetime) if left else own.settings.job_lifetime
    return own.objects.link_to_get(public_address(event), bucket, key, seconds=seconds, name=name, inline=inline)
