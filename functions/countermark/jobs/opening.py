"""How jobs begin: they are opened, get their images, and are sealed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from countermark.http.problems import TooLarge, TooMany
from countermark.jobs import outbox
from countermark.jobs.keys import direct_key, direct_prefix, new_id, new_token
from countermark.jobs.naming import NameParts
from countermark.servers.objects import UPLOADS
from countermark.services import Services
from countermark.settings import Settings

log = structlog.get_logger()

_IMAGES = (
    "CAST(:numbers AS int[]), CAST(:names AS text[]), CAST(:bases AS text[]), CAST(:suffixes AS text[]),"
    " CAST(:flats AS text[]), CAST(:folded AS text[]), CAST(:folded_bases AS text[]),"
    " CAST(:folded_suffixes AS text[]), CAST(:folded_flats AS text[]), :bucket, CAST(:keys AS text[]),"
    " CAST(:sizes AS bigint[])"
)
OPEN_JOB = f"SELECT open_job_v1(:job, :token, :owner, CAST(:options AS jsonb), :seal, {_IMAGES})"
ARRIVE = (
    "SELECT arrive_v2(:job, CAST(:numbers AS int[]), CAST(:etags AS text[]), CAST(:sizes AS bigint[]), :seal, :share)"
)
"""`open_job` and `arrive_all` as statements, for whoever asks more in the same transaction."""


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """An image that a job is to have; its bytes are or will be at ``key``."""

    number: int
    name: str
    """A clean name; the job keeps it, numbered where it is taken."""
    key: str
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An original that is stored."""

    number: int
    etag: str
    size: int
    """Bytes."""


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


def new_job() -> NewJob:
    """The ids of a job that is to be opened."""
    return NewJob(id=new_id(), token=new_token())


def open_job(
    own: Services,
    job: NewJob,
    owner: str,
    options: dict[str, Any],
    images: Sequence[NewImage] = (),
    *,
    sealed: bool = False,
) -> None:
    """Begin a job with its first images, whose objects are stored after this.

    Args:
        owner: whose share of the line its images use.
        sealed: whether it gets no others.
    """
    own.database.call(OPEN_JOB, **opening(job, owner, options, images, sealed=sealed))
    log.info("job opened", job=job.id, link=job.token[:8])  # the whole one opens the job


def opening(
    job: NewJob, owner: str, options: dict[str, Any], images: Sequence[NewImage], *, sealed: bool
) -> dict[str, Any]:
    """The parameters of `OPEN_JOB`."""
    return {
        **_images(job.id, images),
        "token": job.token,
        "owner": owner,
        "options": json.dumps(options),
        "seal": sealed,
    }


def add_images(own: Services, job_id: str, images: Sequence[NewImage]) -> bool:
    """Add images to a job that receives, and write their objects down; the objects are stored after this.

    Returns:
        False when the job takes no more images: it was sealed, or deleted.
    """
    return bool(own.database.call(f"SELECT add_images_v2(:job, {_IMAGES})", **_images(job_id, images)))


def _images(job_id: str, images: Sequence[NewImage]) -> dict[str, Any]:
    parts = [NameParts.of(image.name) for image in images]
    return {
        "job": job_id,
        "numbers": [image.number for image in images],
        "names": [part.name for part in parts],
        "bases": [part.base for part in parts],
        "suffixes": [part.suffix for part in parts],
        "flats": [part.flat for part in parts],
        "folded": [part.folded for part in parts],
        "folded_bases": [part.folded_base for part in parts],
        "folded_suffixes": [part.folded_suffix for part in parts],
        "folded_flats": [part.folded_flat for part in parts],
        "bucket": UPLOADS,
        "keys": [image.key for image in images],
        "sizes": [image.bytes for image in images],
    }


def arrive(own: Services, job_id: str, number: int, *, etag: str, size: int) -> str:
    """An original is stored: the image waits for a function.

    Returns:
        what `arrive_all` says of it.
    """
    return arrive_all(own, job_id, [Arrival(number=number, etag=etag, size=size)])[number]


def arrive_all(own: Services, job_id: str, arrivals: Sequence[Arrival], *, seal: bool = False) -> dict[int, str]:
    """Originals are stored: their images wait for a function.

    Args:
        seal: whether the job has all its images with these; if they have all ended, it is complete.

    Returns:
        by number ``arrived``; ``known`` when it had arrived before; ``late`` when it was given up as not uploaded;
        ``gone`` when the job takes none any more.
    """
    answer = own.database.call(ARRIVE, **arriving(own, job_id, arrivals, seal=seal))
    outbox.send(own, answer["messages"])
    return {int(number): outcome for number, outcome in answer["outcomes"].items()}


def arriving(own: Services, job_id: str, arrivals: Sequence[Arrival], *, seal: bool) -> dict[str, Any]:
    """The parameters of `ARRIVE`."""
    return {
        "job": job_id,
        "numbers": [arrival.number for arrival in arrivals],
        "etags": [arrival.etag for arrival in arrivals],
        "sizes": [arrival.size for arrival in arrivals],
        "seal": seal,
        "share": own.settings.line_share,
    }


def take_stored(own: Services, job_id: str) -> None:
    """The originals that have come by presigned links wait for a function, also those that nobody has announced.

    Whoever gives up what was not uploaded looks here first.
    """
    sql = "SELECT number FROM images WHERE job_id = :job AND state = 'expected'"
    expected = {direct_key(job_id, number): number for (number,) in own.database.rows(sql, job=job_id)}
    stored = own.objects.list(UPLOADS, direct_prefix(job_id)) if expected else ()
    arrivals = [
        Arrival(number=expected[item.key], etag=item.etag, size=item.bytes) for item in stored if item.key in expected
    ]
    if arrivals:
        arrive_all(own, job_id, arrivals)


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
    arrive_all(own, job_id, (), seal=True)


def stay(own: Services, job_id: str) -> None:
    """Bytes of the job are coming: the time after which it is given up begins again."""
    own.database.rows("UPDATE jobs SET progress_at = now() WHERE id = :job AND state = 'receiving'", job=job_id)
