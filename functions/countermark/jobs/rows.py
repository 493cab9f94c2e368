"""The rows of jobs and images as the functions see them."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

from countermark.jobs.states import OVER
from countermark.servers.connection import Connection

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A row of ``jobs``; times are aware."""

    id: str
    token: str
    """What people hold."""
    source: str
    owner: str
    folder: str | None
    state: str
    options_hash: str
    """Changes with the options, which are read by themselves."""
    options_problem: str | None
    reason: str | None
    revision: int
    created_at: datetime
    progress_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    archive_key: str | None
    archive_bytes: int | None
    view_etag: str | None
    total: int
    """Images that have not left it."""
    done: int
    failed: int
    read_at: datetime = field(metadata={"sql": "now()"})
    """When this was read, by the database's clock: that of a host may be wrong."""

    @property
    def is_over(self) -> bool:
        """Whether its time is over, also when nobody has noticed that yet."""
        return self.state in OVER or bool(self.expires_at and self.expires_at <= self.read_at)


@dataclass(frozen=True, kw_only=True)
class Version:
    """What tells whether a job has changed as people see it."""

    row: str = field(metadata={"sql": "xmin::text"})
    """Of the job's row, which every change writes anew that shows."""
    worked_on: str | None = field(
        metadata={
            "sql": "(SELECT md5(string_agg(lease, ',' ORDER BY number)) FROM images"
            " WHERE job_id = jobs.id AND lease IS NOT NULL)"
        }
    )
    """Which of its images are: whoever takes one leaves the job's row alone."""


@dataclass(frozen=True, kw_only=True)
class Seen(Version, Job):
    """A job as people see it."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A row of ``images``."""

    job_id: str
    number: int
    name: str
    """As the person named it, cleaned."""
    bucket: str
    key: str
    bytes: int | None
    etag: str | None
    revision: int
    state: str
    lease: str | None
    code: str | None
    reason: str | None
    result_key: str | None
    result_bytes: int | None
    result_name: str
    """Its name in the ZIP and in the visible tree, unique in the job."""
    view_etag: str | None
    format: str | None
    width: int | None
    height: int | None
    notes: list[dict[str, str]]
    """What a person should know of the result: code and text."""


def columns(kind: type[Any]) -> str:
    """The columns that a dataclass takes, for SELECT and RETURNING."""
    return ", ".join(f'{each.metadata.get("sql", "")} "{each.name}"'.strip() for each in fields(kind))


JOB_COLUMNS = columns(Job)
SEEN_COLUMNS = columns(Seen)
IMAGE_COLUMNS = columns(Image)


def fetch(kind: type[Row], connection: Connection, sql: str, **parameters: Any) -> list[Row]:
    """The rows of a query as objects of a dataclass, whose fields are the query's columns."""
    rows = connection.run(sql, **parameters)
    names = [column["name"] for column in connection.columns or []]
    return [kind(**dict(zip(names, row, strict=True))) for row in rows]


def fetch_one(kind: type[Row], connection: Connection, sql: str, **parameters: Any) -> Row | None:
    """The first row of a query, or None."""
    rows = fetch(kind, connection, sql, **parameters)
    return rows[0] if rows else None
