"""Questions about jobs and images. Each is one transaction, and raises ``Unavailable`` when the database is away."""

from typing import Any, TypeVar

from countermark.http.problems import Expired, NotFound
from countermark.jobs.rows import (
    IMAGE_COLUMNS,
    JOB_COLUMNS,
    SEEN_COLUMNS,
    Image,
    Job,
    Seen,
    fetch,
    fetch_one,
)
from countermark.services import Services

Opened = TypeVar("Opened", bound=Job)

SHOWN = "state <> 'removed'"
ALL = 2**31 - 1
"""No image has a higher number."""


def find_job(own: Services, token: str) -> Job:
    """The job that a token opens.

    Raises:
        NotFound: there is no such job.
        Expired: its time is over, also when its files are not deleted yet.
    """
    return _open(own, Job, JOB_COLUMNS, token)


def see_job(own: Services, token: str) -> Seen:
    """The same, as people see it. It costs the same for a job of any size.

    Raises:
        NotFound, Expired: as above.
    """
    return _open(own, Seen, SEEN_COLUMNS, token)


def _open(own: Services, kind: type[Opened], columns: str, token: str) -> Opened:
    sql = f"SELECT {columns} FROM jobs WHERE token = :token"
    job = own.database.query(lambda connection: fetch_one(kind, connection, sql, token=token))
    if job is None:
        raise NotFound
    if job.is_over:
        raise Expired
    return job


def find_job_by_id(own: Services, job_id: str) -> Job | None:
    """The job of an internal id, also when it has expired not long ago."""
    sql = f"SELECT {JOB_COLUMNS} FROM jobs WHERE id = :id"
    return own.database.query(lambda connection: fetch_one(Job, connection, sql, id=job_id))


def find_image(own: Services, token: str, number: str) -> tuple[Job, Image]:
    """An image of the job that a token opens, by its number as it stands in an address.

    Raises:
        NotFound, Expired: there is no such job or image, or not any more.
    """
    job = find_job(own, token)
    if not (number.isascii() and number.isdecimal() and len(number) < 7):
        raise NotFound
    sql = f"SELECT {IMAGE_COLUMNS} FROM images WHERE job_id = :id AND number = :number AND {SHOWN}"
    image = own.database.query(lambda connection: fetch_one(Image, connection, sql, id=job.id, number=int(number)))
    if image is None:
        raise NotFound
    return job, image


def job_options(own: Services, job_id: str) -> dict[str, Any]:
    """The job's options; none when it was deleted meanwhile."""
    options = own.database.call("SELECT options FROM jobs WHERE id = :id", id=job_id)
    return dict(options or {})


def options_as_hashed(own: Services, job_id: str, options_hash: str) -> dict[str, Any] | None:
    """The job's options if they have this hash; None when they have changed since, or the job is gone."""
    sql = "SELECT options FROM jobs WHERE id = :id AND options_hash = :hash"
    options: dict[str, Any] | None = own.database.call(sql, id=job_id, hash=options_hash)
    return options


def job_images(own: Services, job_id: str, state: str = "", first: int = ALL) -> list[Image]:
    """The job's images by number: all that have not left it, or those in one state; up to the number ``first``."""
    sql = (
        f"SELECT {IMAGE_COLUMNS} FROM images WHERE job_id = :id AND number <= :first AND {SHOWN}"
        " AND (:state = '' OR state = :state) ORDER BY number"
    )
    return own.database.query(lambda connection: fetch(Image, connection, sql, id=job_id, state=state, first=first))


def first_images(own: Services, job_id: str, first: int) -> list[Image]:
    """The job's images up to a number, and after that as many failed ones: a page of it, however large it is."""
    sql = (
        f"SELECT {IMAGE_COLUMNS} FROM images WHERE job_id = :id AND {SHOWN} AND number <= :first"
        f" UNION ALL (SELECT {IMAGE_COLUMNS} FROM images WHERE job_id = :id AND number > :first AND state = 'failed'"
        " ORDER BY number LIMIT :first) ORDER BY number"
    )
    return own.database.query(lambda connection: fetch(Image, connection, sql, id=job_id, first=first))
