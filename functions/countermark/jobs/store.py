"""The job store: the state of jobs and images in PostgreSQL.

Every change locks its job's row first, so that of two images that end at the same moment one sees the other's end and
completes the job. Doing a thing twice changes nothing.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from countermark.jobs.model import Ending, Image, Job, NewImage, Progress, Result
from countermark.jobs.rows import IMAGE_COLUMNS, JOB_COLUMNS, ending, fetch, fetch_one, insert_images, lock
from countermark.servers.database import Database


class JobStore:
    """Jobs and images, changed in transactions.

    Every method raises ``Unavailable`` when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_job(self, job_id: str, options: dict[str, Any], seconds: int, images: Iterable[NewImage] = ()) -> datetime:
        """Begin a job that was uploaded: ``receiving`` without images, ``processing`` with all of them.

        Args:
            seconds: the time after which images that have not ended are given up.

        Returns:
            The deadline that follows from it.
        """
        images = list(images)
        with self._database.transaction() as connection:
            rows = connection.run(
                "INSERT INTO jobs (id, source, state, options, deadline_at)"
                " VALUES (:id, 'upload', :state, :options, now() + make_interval(secs => :seconds))"
                " RETURNING deadline_at",
                id=job_id,
                state="processing" if images else "receiving",
                options=json.dumps(options),
                seconds=seconds,
            )
            insert_images(connection, job_id, images)
            deadline: datetime = rows[0][0]
            return deadline

    def add_image(self, job_id: str, image: NewImage) -> None:
        """Add an image to a job that is receiving; do it before the object is stored, so that its event finds it."""
        self._database.query(lambda connection: insert_images(connection, job_id, [image]))

    def seal(self, job_id: str) -> Ending:
        """All images of a receiving job are there."""
        with self._database.transaction() as connection:
            connection.run("UPDATE jobs SET state = 'processing' WHERE id = :id AND state = 'receiving'", id=job_id)
            return ending(connection, job_id)

    def find_job(self, job_id: str) -> Job | None:
        """The job, also when it has expired not long ago."""
        return self._database.query(
            lambda connection: fetch_one(Job, connection, f"SELECT {JOB_COLUMNS} FROM jobs WHERE id = :id", id=job_id)
        )

    def options(self, job_id: str) -> dict[str, Any]:
        """The job's options; none when it was deleted meanwhile."""
        sql = "SELECT options FROM jobs WHERE id = :id"
        rows = self._database.query(lambda connection: connection.run(sql, id=job_id))
        return dict(rows[0][0]) if rows else {}

    def images(self, job_id: str, state: str = "") -> list[Image]:
        """The job's images by number: all, or those in one state."""
        sql = (
            f"SELECT {IMAGE_COLUMNS} FROM images WHERE job_id = :id AND (:state = '' OR state = :state) ORDER BY number"
        )
        return self._database.query(lambda connection: fetch(Image, connection, sql, id=job_id, state=state))

    def image(self, job_id: str, number: int) -> Image | None:
        """One image of a job."""
        sql = f"SELECT {IMAGE_COLUMNS} FROM images WHERE job_id = :id AND number = :number"
        return self._database.query(lambda connection: fetch_one(Image, connection, sql, id=job_id, number=number))

    def progress(self, job_id: str) -> Progress:
        """How many of the job's images are in each state."""
        sql = (
            "SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,"
            " count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'failed') AS failed,"
            " max(updated_at) AS changed_at FROM images WHERE job_id = :id"
        )
        return self._database.query(lambda connection: fetch(Progress, connection, sql, id=job_id)[0])

    def find_image(self, bucket: str, key: str) -> tuple[Job, Image] | None:
        """The image whose bytes are at this place, and its job."""
        sql = f"SELECT {IMAGE_COLUMNS} FROM images WHERE bucket = :bucket AND key = :key"
        image = self._database.query(lambda connection: fetch_one(Image, connection, sql, bucket=bucket, key=key))
        job = self.find_job(image.job_id) if image else None
        return (job, image) if job and image else None

    def begin_image(self, image: Image) -> None:
        """A function works on the image."""
        sql = (
            "UPDATE images SET begun = revision, updated_at = now()"
            " WHERE job_id = :job AND number = :number AND revision = :revision AND state = 'waiting'"
        )
        parameters = {"job": image.job_id, "number": image.number, "revision": image.revision}
        self._database.query(lambda connection: connection.run(sql, **parameters))

    def finish_image(self, image: Image, result: Result, *, etag: str, size: int) -> Ending:
        """The image is marked; a second time, or after its object was replaced, this changes nothing."""
        with self._database.transaction() as connection:
            lock(connection, image.job_id)
            connection.run(
                "UPDATE images SET state = 'done', code = NULL, reason = NULL, result_key = :key,"
                " result_bytes = :result_bytes, result_name = :name, format = :format, width = :width,"
                " height = :height, etag = :etag, bytes = :size, updated_at = now()"
                " WHERE job_id = :job AND number = :number AND revision = :revision AND state = 'waiting'",
                key=result.key,
                result_bytes=result.bytes,
                name=result.name,
                format=result.format,
                width=result.width,
                height=result.height,
                etag=etag,
                size=size,
                job=image.job_id,
                number=image.number,
                revision=image.revision,
            )
            return ending(connection, image.job_id)

    def fail_image(self, image: Image, code: str, reason: str, *, etag: str | None = None) -> Ending:
        """The image can't be marked, for a reason that a person understands."""
        with self._database.transaction() as connection:
            lock(connection, image.job_id)
            connection.run(
                "UPDATE images SET state = 'failed', code = :code, reason = :reason, etag = coalesce(:etag, etag),"
                " updated_at = now()"
                " WHERE job_id = :job AND number = :number AND revision = :revision AND state = 'waiting'",
                code=code,
                reason=reason,
                etag=etag,
                job=image.job_id,
                number=image.number,
                revision=image.revision,
            )
            return ending(connection, image.job_id)

    def give_up(self, job_id: str, numbers: list[int], code: str, reason: str) -> Ending:
        """Of these images those that are still waiting will not come."""
        with self._database.transaction() as connection:
            lock(connection, job_id)
            connection.run(
                "UPDATE images SET state = 'failed', code = :code, reason = :reason, updated_at = now()"
                " WHERE job_id = :job AND number = ANY(CAST(:numbers AS int[])) AND state = 'waiting'",
                code=code,
                reason=reason,
                job=job_id,
                numbers=numbers,
            )
            return ending(connection, job_id)

    def settle(self, job_id: str, *, given_up: str) -> Ending:
        """Let a job whose time has come go on: past its deadline what waits has failed, and a quiet folder is sealed.

        Args:
            given_up: the reason for images that are still waiting after the deadline.
        """
        with self._database.transaction() as connection:
            lock(connection, job_id)
            connection.run(
                "UPDATE images SET state = 'failed', code = 'out_of_time', reason = :reason, updated_at = now()"
                " FROM jobs WHERE jobs.id = job_id AND job_id = :id AND images.state = 'waiting'"
                " AND jobs.state IN ('receiving', 'processing') AND deadline_at <= now()",
                id=job_id,
                reason=given_up,
            )
            connection.run(
                "UPDATE jobs SET state = 'processing' WHERE id = :id AND state = 'receiving'"
                " AND (deadline_at <= now() OR quiet_at <= now())",
                id=job_id,
            )
            return ending(connection, job_id)

    def finish_archive(self, job: Job, key: str, size: int, *, done: int, lifetime: int) -> datetime | None:
        """The ZIP is stored: the job is ``ready``, or ``failed`` when no image was marked.

        Returns:
            When the job expires; None when it went on meanwhile and this ZIP is out of date.
        """
        reason = None if done else "None of the images could be processed."
        with self._database.transaction() as connection:
            rows = connection.run(
                "UPDATE jobs SET state = :state, reason = :reason, ready_at = now(),"
                " expires_at = now() + make_interval(secs => :lifetime), archive_key = :key, archive_bytes = :size"
                " WHERE id = :id AND state = 'archiving' AND revision = :revision RETURNING expires_at",
                state="ready" if done else "failed",
                reason=reason,
                lifetime=lifetime,
                key=key,
                size=size,
                id=job.id,
                revision=job.revision,
            )
            return rows[0][0] if rows else None

    def fail_job(self, job_id: str, reason: str, *, lifetime: int) -> datetime | None:
        """The job can't be completed. Returns when it expires; None when it had ended already."""
        with self._database.transaction() as connection:
            rows = connection.run(
                "UPDATE jobs SET state = 'failed', reason = :reason, ready_at = now(),"
                " expires_at = now() + make_interval(secs => :lifetime)"
                " WHERE id = :id AND state IN ('receiving', 'processing', 'archiving') RETURNING expires_at",
                id=job_id,
                reason=reason,
                lifetime=lifetime,
            )
            return rows[0][0] if rows else None

    def expire(self, job_id: str, *, now: bool) -> Job | None:
        """Mark a job as expired, from when on no link to it is given out.

        Args:
            now: expire it at once, whatever its time.

        Returns:
            The job whose files are to be deleted; None when its time has not come or nothing of it is left.
        """
        with self._database.transaction() as connection:
            connection.run(
                "UPDATE jobs SET state = 'expired', expires_at = now() WHERE id = :id AND state <> 'expired'"
                " AND (:now OR (state IN ('ready', 'failed') AND expires_at <= now()))",
                id=job_id,
                now=now,
            )
            return fetch_one(
                Job,
                connection,
                f"SELECT {JOB_COLUMNS} FROM jobs WHERE id = :id AND state = 'expired'"
                " AND (archive_key IS NOT NULL OR options <> '{}'"
                " OR EXISTS (SELECT FROM images WHERE job_id = jobs.id))",
                id=job_id,
            )

    def forget(self, job_id: str) -> None:
        """Delete all that is known of an expired job but that it has been there."""
        with self._database.transaction() as connection:
            connection.run("DELETE FROM images WHERE job_id = :id", id=job_id)
            connection.run(
                "UPDATE jobs SET options = '{}', folder = NULL, reason = NULL, archive_key = NULL, archive_bytes = NULL"
                " WHERE id = :id AND state = 'expired'",
                id=job_id,
            )
