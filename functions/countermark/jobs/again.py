"""A new job from the images of another one, without sending them again."""

from collections.abc import Sequence
from typing import Any

from countermark.http.problems import Expired, Problem
from countermark.jobs import endings, opening, outbox
from countermark.jobs.keys import posted_key
from countermark.jobs.opening import Arrival, NewImage, NewJob
from countermark.jobs.rows import IMAGE_COLUMNS, Image, Job, fetch
from countermark.jobs.states import Source
from countermark.servers.connection import Connection
from countermark.servers.objects import UPLOADS, NoSuchObject, Refused, Replaced
from countermark.services import Services

ORIGINALS = (
    f"SELECT {IMAGE_COLUMNS} FROM images"
    " WHERE job_id = :id AND etag IS NOT NULL AND state NOT IN ('expected', 'removed')"
    " AND code IS DISTINCT FROM 'too_many_files' AND (NOT :failed OR state = 'failed') ORDER BY number"
)
"""All but what the folder has more of than a job may have."""


def open_again(own: Services, job: Job, owner: str, options: dict[str, Any], *, only_failed: bool) -> NewJob:
    """Begin a job with another job's originals.

    Originals in ``uploads`` are shared: both jobs refer to them in the ledger, and the last one deletes them. Those in
    ``drop`` are people's own, who may replace them: they are copied.

    Raises:
        Problem: there is no such image, or they are more than a job may have.
        Expired: the other job has ended meanwhile.
    """
    with own.database.transaction() as connection:
        alive = connection.run(
            "SELECT FROM jobs WHERE id = :id AND state NOT IN ('expired', 'gone') FOR UPDATE", id=job.id
        )
        if not alive:
            raise Expired
        originals = fetch(Image, connection, ORIGINALS, id=job.id, failed=only_failed)
        if not originals:
            raise Problem("The job has no such image.", code="no_files")
        # A drop folder may hold more than a job that is sent.
        opening.require_room(own.settings, [original.bytes or 0 for original in originals])
        new = opening.new_job()
        copied = job.source == Source.DROP
        images = [
            NewImage(
                number=number,
                name=original.name,
                key=posted_key(new.id, number) if copied else original.key,
                bytes=original.bytes,
            )
            for number, original in enumerate(originals, 1)
        ]
        connection.run(opening.OPEN_JOB, **opening.opening(new, owner, options, images, sealed=False))
        messages = [] if copied else _share(own, connection, new, originals)
    outbox.send(own, messages)
    if copied:
        _copy_all(own, new, originals)
    return new


def _share(own: Services, connection: Connection, new: NewJob, originals: Sequence[Image]) -> Any:
    """The originals are there already: the images wait."""
    arrivals = [
        Arrival(number=number, etag=original.etag or "", size=original.bytes or 0)
        for number, original in enumerate(originals, 1)
    ]
    answer = connection.run(opening.ARRIVE, **opening.arriving(own, new.id, arrivals, seal=True))[0][0]
    return answer["messages"]


def _copy_all(own: Services, new: NewJob, originals: Sequence[Image]) -> None:
    try:
        for number, original in enumerate(originals, 1):
            _copy(own, new, number, original)
        opening.seal(own, new.id)
    except BaseException:
        endings.abandon(own, new.id)
        raise


def _copy(own: Services, new: NewJob, number: int, original: Image) -> None:
    key = posted_key(new.id, number)
    try:
        etag = own.objects.copy(original.bucket, original.key, UPLOADS, key, etag=original.etag)
    except (NoSuchObject, Replaced):
        opening.fail_expected(own, new.id, [number], "missing", "The original is not there any more.")
    except Refused as error:
        opening.fail_expected(own, new.id, [number], "missing", f"The original can't be copied: {error}")
    else:
        if opening.arrive(own, new.id, number, etag=etag, size=original.bytes or 0) == "gone":
            own.objects.delete(UPLOADS, [key])
