"""An object that the store has announced, as it is now: announcements come late, twice and in any order."""

import structlog
from countermark.jobs import comparing, folders, opening
from countermark.jobs.keys import direct_image
from countermark.servers.objects import DROP, UPLOADS, NoSuchObject, Object, Refused
from countermark.services import Services

log = structlog.get_logger()


def take_object(own: Services, bucket: str, key: str) -> None:
    """Tell the rows that an object is there.

    Raises:
        Unavailable: a server does not answer.
    """
    try:
        item = own.objects.stat(bucket, key)
    except NoSuchObject:
        log.info("announced, but not there (any more)", bucket=bucket, key=key)
    except Refused as error:
        log.warning("the store does not give an object", bucket=bucket, key=key, why=str(error))
    else:
        if bucket == DROP:
            _take(own, item)
        elif bucket == UPLOADS:
            _arrive(own, item)


def _take(own: Services, item: Object) -> None:
    try:
        folders.take(own, item)
    except folders.NotYet:  # held messages would leave no place for those of others; the sweep looks at the bucket
        log.info("the folder's former job is not gone yet", key=item.key)


def _arrive(own: Services, item: Object) -> None:
    """An original has come by a presigned link. One that comes after the end of its job is deleted, unless somebody
    refers to it all the same."""
    found = direct_image(item.key)
    if found is None:
        return
    job_id, number = found
    structlog.contextvars.bind_contextvars(job=job_id, image=number)
    outcome = opening.arrive(own, job_id, number, etag=item.etag, size=item.bytes)
    if outcome == "gone" and not comparing.known_keys(own, UPLOADS, [item.key]):
        own.objects.delete(UPLOADS, [item.key])
