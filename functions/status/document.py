"""A job as the status JSON tells it."""

from datetime import UTC, datetime
from typing import Any

from countermark.jobs.rows import Image, Job, Version
from countermark.jobs.states import ENDED, ImageState, Source


def status_etag(version: Version, which: str, first: int) -> str:
    """Changes with every change that the document shows.

    Args:
        which: the images that it lists; only those that wait show whether somebody works on them.
        first: the number up to which it lists them.
    """
    parts = (version.row, which, str(first), version.worked_on if which == "all" else None)
    return '"' + "-".join(filter(None, parts)) + '"'


def archive_name(job: Job) -> str:
    """The file name of the job's ZIP."""
    if job.source == Source.DROP:
        return f"{job.folder or 'drop'}.zip"
    return f"countermark-{job.created_at:%Y-%m-%d-%H%M}.zip"


def status_document(job: Job, images: list[Image]) -> dict[str, Any]:
    """The document, with the images that it is to list."""
    return {
        "job": job.token,
        "state": job.state,
        "source": job.source,
        "reason": job.reason or job.options_problem,
        "total": job.total,
        "waiting": job.total - job.done - job.failed,
        "done": job.done,
        "failed": job.failed,
        "now": _time(job.read_at),
        "created_at": _time(job.created_at),
        "ready_at": _time(job.ready_at),
        "expires_at": _time(job.expires_at),
        "archive": _archive(job),
        "images": [_image(job, image) for image in images],
    }


def _archive(job: Job) -> dict[str, Any] | None:
    if not job.archive_key or job.state not in ENDED:
        return None
    return {"url": f"/job/{job.token}/archive", "bytes": job.archive_bytes, "name": archive_name(job)}


def _image(job: Job, image: Image) -> dict[str, Any]:
    result = {
        "url": f"/job/{job.token}/images/{image.number}",
        "name": image.result_name,
        "bytes": image.result_bytes,
        "width": image.width,
        "height": image.height,
        "format": image.format,
        "notes": image.notes,
    }
    return {
        "number": image.number,
        "name": image.name,
        "state": _state(image),
        "code": image.code,
        "reason": image.reason,
        "bytes": image.bytes,
        "result": result if image.state == ImageState.DONE else None,
    }


def _state(image: Image) -> str:
    """As people see it: one that waits may be worked on, and one whose bytes are on their way waits as well."""
    if image.lease:
        return "working"
    return "waiting" if image.state == ImageState.EXPECTED else image.state


def _time(time: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None
