"""Statements that every part of the job store uses, inside a transaction of the caller's."""

from dataclasses import fields
from typing import Any, TypeVar

from pg8000.native import Connection

from countermark.jobs.model import Ending, Image, Job, NewImage

Row = TypeVar("Row")


def columns(kind: type[Any]) -> str:
    """The columns that a dataclass takes, for SELECT and RETURNING."""
    return ", ".join(f'"{field.name}"' for field in fields(kind))


JOB_COLUMNS = columns(Job)
IMAGE_COLUMNS = columns(Image)


def fetch(kind: type[Row], connection: Connection, sql: str, **parameters: Any) -> list[Row]:
    """The rows of a query as objects of a dataclass, whose fields are the query's columns."""
    rows = connection.run(sql, **parameters) or []
    names = [column["name"] for column in connection.columns or []]
    return [kind(**dict(zip(names, row, strict=True))) for row in rows]


def fetch_one(kind: type[Row], connection: Connection, sql: str, **parameters: Any) -> Row | None:
    """The first row of a query, or None."""
    rows = fetch(kind, connection, sql, **parameters)
    return rows[0] if rows else None


def insert_images(connection: Connection, job_id: str, images: list[NewImage]) -> None:
    """Add images to a job."""
    if images:
        connection.run(
            "INSERT INTO images (job_id, number, name, bucket, key, bytes)"
            " SELECT :job, * FROM unnest(CAST(:numbers AS int[]), CAST(:names AS text[]), CAST(:buckets AS text[]),"
            " CAST(:keys AS text[]), CAST(:sizes AS bigint[]))"
            " ON CONFLICT (job_id, number) DO NOTHING",
            job=job_id,
            numbers=[image.number for image in images],
            names=[image.name for image in images],
            buckets=[image.bucket for image in images],
            keys=[image.key for image in images],
            sizes=[image.bytes for image in images],
        )


def lock(connection: Connection, job_id: str) -> None:
    """Hold the job's row until the transaction ends."""
    connection.run("SELECT FROM jobs WHERE id = :id FOR UPDATE", id=job_id)


def ending(connection: Connection, job_id: str) -> Ending:
    """Complete the job if all its images have ended, and tell; the job's row must be locked."""
    rows = connection.run(
        "WITH completed AS (UPDATE jobs SET state = 'archiving' WHERE id = :id AND state = 'processing'"
        " AND NOT EXISTS (SELECT FROM images WHERE job_id = jobs.id AND state = 'waiting') RETURNING state)"
        " SELECT coalesce((SELECT state FROM completed), (SELECT state FROM jobs WHERE id = :id))",
        id=job_id,
    )
    return Ending.of(rows[0][0] or "expired")
