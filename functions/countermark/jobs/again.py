"""A new job from the images of another one, without sending them again."""

from collections.abc import Sequence
from typing import Any

from pg8000.native import Connection

from countermark.http.problems import Expired, Problem
from countermark.jobs import endings, opening, outbox
from countermark.jobs.keys import posted_key
from countermark.jobs.opening import NewImage, NewJob
from countermark.jobs.rows import IMAGE_COLUMNS, Image, Job, fetch
from countermark.jobs.states import Source
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
        new = opening.open_job(connection, owner, options)
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
        opening.add_images(connection, new.id, UPLOADS, images)
        messages = [] if copied else _share(own, connection, new, originals)
    outbox.send(own, messages)
    if copied:
        _copy_all(own, new, originals)
    return new


def _share(own: Services, connection: Connection, new: NewJob, originals: Sequence[Image]) -> Any:
    """The originals are there already: the images wait."""
    connection.run(
        "UPDATE images SET state = 'waiting', etag = given.etag"
        " FROM unnest(CAST(:numbers AS int[]), CAST(:etags AS text[])) AS given (number, etag)"
        " WHERE job_id = :job AND images.number = given.number",
        job=new.id,
        numbers=list(range(1, len(originals) + 1)),
        etags=[original.etag for original in originals],
    )
    answer = connection.run("SELECT seal_v1(:job, :share)", job=new.id, share=own.settings.line_share)[0][0]
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
