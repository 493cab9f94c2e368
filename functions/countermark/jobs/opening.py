"""How jobs begin: they are opened, get their images, and are sealed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pg8000.native import Connection

from countermark.http.problems import TooLarge, TooMany
from countermark.jobs import outbox
from countermark.jobs.keys import direct_key, direct_prefix, new_id, new_token
from countermark.jobs.naming import NameParts
from countermark.jobs.states import JobState, Source
from countermark.servers.objects import UPLOADS
from countermark.services import Services
from countermark.settings import Settings

log = structlog.get_logger()

ADD_IMAGES = (
    "SELECT add_images_v1(:job, CAST(:numbers AS int[]), CAST(:names AS text[]), CAST(:bases AS text[]),"
    " CAST(:suffixes AS text[]), CAST(:flats AS text[]), CAST(:folded AS text[]), CAST(:folded_bases AS text[]),"
    " CAST(:folded_suffixes AS text[]), CAST(:folded_flats AS text[]), :bucket, CAST(:keys AS text[]),"
    " CAST(:sizes AS bigint[]))"
)


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """An image that a job is to have; its bytes are or will be at ``key``."""

    number: int
    name: str
    """A clean name; the job keeps it, numbered where it is taken."""
    key: str
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job that has begun: its id, and what opens it."""

    id: str
    token: str


def require_room(settings: Settings, sizes: Sequence[int]) -> None:
    """Make sure that a job may have these files.

    Args:
        sizes: of each file, in bytes.

    Raises:
        TooMany, TooLarge: they are more than a job may have.
    """
    if len(sizes) > settings.max_files:
        raise TooMany(f"The job would have {len(sizes)} files; at most {settings.max_files} are allowed.")
    if sum(sizes) > settings.max_job_bytes:
        raise TooLarge(f"The files have {sum(sizes)} bytes together; at most {settings.max_job_bytes} are allowed.")


def open_job(connection: Connection, owner: str, options: dict[str, Any]) -> NewJob:
    """Begin a job that receives images.

    Args:
        owner: whose share of the line its images use.
    """
    job = NewJob(id=new_id(), token=new_token())
    connection.run(
        "INSERT INTO jobs (id, token, source, owner, state, options)"
        " VALUES (:id, :token, :source, :owner, :state, CAST(:options AS jsonb))",
        id=job.id,
        token=job.token,
        source=Source.UPLOAD.value,
        owner=owner,
        state=JobState.RECEIVING.value,
        options=json.dumps(options),
    )
    log.info("job opened", job=job.id, link=job.token[:8])  # the whole one opens the job
    return job


def add_images(connection: Connection, job_id: str, bucket: str, images: Sequence[NewImage]) -> bool:
    """Add images to a job that receives, and write their objects down; the objects are stored after this.

    Returns:
        False when the job takes no more images: it was sealed, or deleted.
    """
    parts = [NameParts.of(image.name) for image in images]
    rows = connection.run(
        ADD_IMAGES,
        job=job_id,
        numbers=[image.number for image in images],
        names=[part.name for part in parts],
        bases=[part.base for part in parts],
        suffixes=[part.suffix for part in parts],
        flats=[part.flat for part in parts],
        folded=[part.folded for part in parts],
        folded_bases=[part.folded_base for part in parts],
        folded_suffixes=[part.folded_suffix for part in parts],
        folded_flats=[part.folded_flat for part in parts],
        bucket=bucket,
        keys=[image.key for image in images],
        sizes=[image.bytes for image in images],
    )
    return bool(rows and rows[0][0])


def arrive(own: Services, job_id: str, number: int, *, etag: str, size: int) -> str:
    """An original is stored: the image waits for a function.

    Returns:
        ``arrived``; ``known`` when it had arrived before; ``late`` when it was given up as not uploaded; ``gone`` when
        the job takes none any more.
    """
    answer = own.database.call(
        "SELECT arrive_v1(:job, :number, :etag, :size, :share)",
        job=job_id,
        number=number,
        etag=etag,
        size=size,
        share=own.settings.line_share,
    )
    outbox.send(own, answer["messages"])
    return str(answer["outcome"])


def take_stored(own: Services, job_id: str) -> None:
    """The originals that have come by presigned links wait for a function, also those that nobody has announced.

    Whoever gives up what was not uploaded looks here first.
    """
    sql = "SELECT number FROM images WHERE job_id = :job AND state = 'expected'"
    expected = {direct_key(job_id, number): number for (number,) in own.database.rows(sql, job=job_id)}
    for item in own.objects.list(UPLOADS, direct_prefix(job_id)) if expected else ():
        if item.key in expected:
            arrive(own, job_id, expected[item.key], etag=item.etag, size=item.bytes)


def fail_expected(own: Services, job_id: str, numbers: list[int], code: str, reason: str) -> int:
    """Images of which no bytes will come fail; the last one completes its job. Returns how many they were."""
    answer = own.database.call(
        "SELECT fail_expected_v1(:job, CAST(:numbers AS int[]), :code, :reason, :share)",
        job=job_id,
        numbers=numbers,
        code=code,
        reason=reason,
        share=own.settings.line_share,
    )
    outbox.send(own, answer["messages"])
    return int(answer["count"])


def seal(own: Services, job_id: str) -> None:
    """The job has all its images; if they have all ended, it is complete."""
    answer = own.database.call("SELECT seal_v1(:job, :share)", job=job_id, share=own.settings.line_share)
    outbox.send(own, answer["messages"])
