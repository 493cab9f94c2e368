"""A job whose images have all ended gets its ZIP, under a lease."""

from contextlib import closing
from functools import partial

import structlog
from countermark.http.problems import Unavailable
from countermark.jobs import archives
from countermark.jobs.archives import Archiving
from countermark.jobs.keys import view_archive, view_prefix
from countermark.jobs.leases import kept
from countermark.jobs.reading import find_job_by_id, job_images
from countermark.jobs.rows import Job
from countermark.jobs.states import ImageState, Source
from countermark.jobs.view import publish, trees
from countermark.servers.objects import DROP, RESULTS
from countermark.services import Services

from .ahead import LostResult, read_ahead
from .report import report
from .zip import zip_stream

log = structlog.get_logger()


def archive(own: Services, job_id: str, revision: int) -> None:
    """Make a job's ZIP, if that is still to be done and nobody else is at it.

    Raises:
        Unavailable: a server does not answer; the job is free for the next delivery, and nothing is counted.
        Exception: a fault of ours; it counts as a failed attempt.
    """
    structlog.contextvars.bind_contextvars(job=job_id)
    archiving = archives.take(own, job_id, revision)
    if archiving is None:
        log.info("nothing to archive", revision=revision)
        return
    try:
        with kept(archiving.lease, partial(archives.renew, own, archiving), seconds=own.settings.lease_seconds):
            _archive(own, archiving)
    except BaseException as error:
        archives.release(own, job_id, archiving.lease, counted=not isinstance(error, Unavailable))
        raise


def _archive(own: Services, archiving: Archiving) -> None:
    job = archiving.job
    if job.source == Source.DROP:
        _let_go(own, archiving)
    images = job_images(own, job.id)
    done = [image for image in images if image.state == ImageState.DONE]
    try:
        with (
            read_ahead(own.objects, done) as entries,
            closing(zip_stream(entries, report(job, images), job.created_at)) as stream,
        ):
            _, size = own.objects.write_stream(RESULTS, archiving.key, stream, "application/zip")
    except LostResult as lost:
        log.warning("a result is not in the store any more, so it is made again", image=lost.number)
        archives.redo_image(own, archiving, lost.number)
        return
    if not archives.finish(own, archiving, size):
        log.info("archive out of date")
        own.objects.delete(RESULTS, [archiving.key])
        return
    log.info("job ready", images=len(images), done=len(done), bytes=size)
    if job.source == Source.DROP:
        _publish(own, job)


def _let_go(own: Services, archiving: Archiving) -> None:
    """Files that were taken out of the folder leave its job."""
    prefix = f"{archiving.job.folder}/" if archiving.job.folder else ""
    gone = archives.dropped_images(own, archiving)
    for item in own.objects.list(DROP, prefix):
        gone.pop(item.key, None)
    if gone:
        archives.remove_images(own, archiving, list(gone.values()))
        log.info("images removed", images=len(gone))


def _publish(own: Services, job: Job) -> None:
    """Make the visible tree right, with the new ZIP. What fails here the sweep does."""
    folder = job.folder or ""
    listed = [*own.objects.list(RESULTS, view_prefix(folder)), *own.objects.list(RESULTS, view_archive(folder))]
    now = find_job_by_id(own, job.id)
    if now is not None and not now.is_over:
        publish(own, now, trees(listed))
