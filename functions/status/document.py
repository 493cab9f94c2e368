"""A job as the status JSON tells it."""

from datetime import UTC, datetime
from typing import Any

from countermark.http.problems import Expired, NotFound
from countermark.jobs import Image, Job, Progress
from countermark.services import services


def find_job(job_id: str) -> tuple[Job, Progress]:
    """The job and its progress.

    Raises:
        NotFound: there is no such job.
        Expired: its time is over, also when its files are not deleted yet.
    """
    job = services().jobs.find_job(job_id)
    if job is None:
        raise NotFound
    if job.state == "expired" or (job.expires_at and job.expires_at <= datetime.now(UTC)):
        raise Expired
    return job, services().jobs.progress(job_id)


def status_etag(job: Job, progress: Progress) -> str:
    """Changes with every change that the document shows."""
    changed = progress.changed_at.timestamp() if progress.changed_at else 0
    return f"{job.state}-{job.revision}-{progress.done}-{progress.failed}-{progress.waiting}-{changed:.6f}"


def archive_name(job: Job) -> str:
    """The file name of the job's ZIP."""
    if job.source == "drop":
        return f"{job.folder or 'drop'}.zip"
    return f"countermark-{job.created_at:%Y-%m-%d-%H%M}.zip"


def status_document(job: Job, progress: Progress, images: str) -> dict[str, Any]:
    """The document.

    Args:
        images: which of the images it lists: ``all``, ``failed`` or ``none``.
    """
    listed = [] if images == "none" else services().jobs.images(job.id, "failed" if images == "failed" else "")
    return {
        "job": job.id,
        "state": job.state,
        "source": job.source,
        "reason": job.reason or job.options_problem,
        "total": progress.waiting + progress.done + progress.failed,
        "waiting": progress.waiting,
        "done": progress.done,
        "failed": progress.failed,
        "now": _time(datetime.now(UTC)),
        "created_at": _time(job.created_at),
        "deadline_at": _time(job.deadline_at),
        "ready_at": _time(job.ready_at),
        "expires_at": _time(job.expires_at),
        "archive": _archive(job),
        "images": [_image(job, image) for image in listed],
    }


def _archive(job: Job) -> dict[str, Any] | None:
    if not job.archive_key or job.state not in {"ready", "failed"}:
        return None
    return {"url": f"/job/{job.id}/archive", "bytes": job.archive_bytes, "name": archive_name(job)}


def _image(job: Job, image: Image) -> dict[str, Any]:
    result = {
        "url": f"/job/{job.id}/images/{image.number}",
        "name": image.result_name,
        "bytes": image.result_bytes,
        "width": image.width,
        "height": image.height,
        "format": image.format,
    }
    return {
        "number": image.number,
        "name": image.name,
        "state": "working" if image.is_working else image.state,
        "code": image.code,
        "reason": image.reason,
        "bytes": image.bytes,
        "result": result if image.state == "done" else None,
    }


def _time(time: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None
