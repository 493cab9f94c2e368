"""The visible tree of a drop folder: copies of what is current, under people's own names.

It is a view that may be written again at any time: the rows are the truth. A copy that comes late can lie over a newer
one for a moment; whoever publishes next finds another ETag than the row's and copies again.
"""

from collections.abc import Iterable

import structlog

from countermark.jobs.keys import view_archive, view_prefix
from countermark.jobs.reading import job_images
from countermark.jobs.rows import Job
from countermark.jobs.states import ImageState
from countermark.servers.objects import DROP, RESULTS, NoSuchObject, Object, Refused
from countermark.services import Services

log = structlog.get_logger()

Trees = dict[str, dict[str, str]]
"""The ETags by key of each folder's results and ZIP, by what the keys of its tree begin with."""


def publish_image(own: Services, job_id: str, number: int, result_key: str, view_key: str) -> None:
    """Copy a result to where people see it."""
    etag = _copy(own, result_key, view_key)
    if etag:
        own.database.rows(
            "UPDATE images SET view_etag = :etag WHERE job_id = :job AND number = :number AND result_key = :key",
            etag=etag,
            job=job_id,
            number=number,
            key=result_key,
        )


def publish_archive(own: Services, job_id: str, archive_key: str, view_key: str) -> None:
    """Copy a job's ZIP to where people see it."""
    etag = _copy(own, archive_key, view_key)
    if etag:
        own.database.rows(
            "UPDATE jobs SET view_etag = :etag WHERE id = :job AND archive_key = :key",
            etag=etag,
            job=job_id,
            key=archive_key,
        )


def trees(listed: Iterable[Object]) -> Trees:
    """What lies in the visible trees of folders."""
    found: Trees = {}
    for item in listed:
        prefix = _prefix(item.key)
        if prefix is not None:
            found.setdefault(prefix, {})[item.key] = item.etag
    return found


def _prefix(key: str) -> str | None:
    """What the keys of the tree begin with that an object belongs to; None when it is in none."""
    if key == view_archive(""):
        return view_prefix("")
    top, _, rest = key.partition("/")
    if top != DROP:
        return None
    folder, slash, _ = rest.partition("/")
    if slash:
        return f"{DROP}/{folder}/"
    return f"{DROP}/{rest.removesuffix('.zip')}/" if rest.endswith(".zip") else f"{DROP}/"


def publish(own: Services, job: Job, seen: Trees) -> int:
    """Make a job's visible tree what the rows say.

    Args:
        seen: what is in the tree. It was listed before this asks for the rows: an object that is in the list, and in no
            row that is read after it, is out of date.

    Returns:
        How many objects were copied or deleted.
    """
    prefix, its_archive = view_prefix(job.folder or ""), view_archive(job.folder or "")
    there = dict(seen.get(prefix, {}))
    current = [image for image in job_images(own, job.id, ImageState.DONE) if image.result_key]
    published = [prefix + image.result_name for image in current if image.view_etag]
    published += [its_archive] if job.archive_key and job.view_etag else []
    # A store whose disk was full may have lost a directory's entry. What is in it can be had then, and is in no list
    # until it is made anew.
    own.objects.delete(RESULTS, [key for key in published if key not in there])
    changes = 0
    for image in current:
        key = prefix + image.result_name
        if there.pop(key, "") != image.view_etag or image.view_etag is None:
            publish_image(own, job.id, image.number, str(image.result_key), key)
            changes += 1
    if job.archive_key and (there.pop(its_archive, "") != job.view_etag or job.view_etag is None):
        publish_archive(own, job.id, job.archive_key, its_archive)
        changes += 1
    own.objects.delete(RESULTS, there)
    return changes + len(there)


def _copy(own: Services, key: str, view_key: str) -> str | None:
    try:
        return own.objects.copy(RESULTS, key, RESULTS, view_key)
    except NoSuchObject:
        log.info("nothing to publish: it is out of date", key=key)
    except Refused as error:
        log.warning("the store does not take a name", view=view_key, why=str(error))
    return None
