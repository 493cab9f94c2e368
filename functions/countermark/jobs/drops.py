"""Folders of the drop bucket as jobs: one folder is one job until that has expired."""

import json
from typing import Any

from pg8000.native import Connection

from countermark.jobs.model import Image, Job, new_job_id
from countermark.jobs.rows import IMAGE_COLUMNS, JOB_COLUMNS, fetch, fetch_one
from countermark.servers.database import Database


class DropStore:
    """The drop bucket's part of the job store.

    Args:
        quiet: seconds without a new object after which a folder is complete.
        seconds: time for which images may wait, from the last new object.
    """

    def __init__(self, database: Database, *, quiet: int, seconds: int) -> None:
        self._database = database
        self._times = {"quiet": quiet, "seconds": seconds}

    def adopt(
        self, folder: str, *, name: str, bucket: str, key: str, etag: str, size: int, options: dict[str, Any]
    ) -> tuple[Job, Image, bool]:
        """Take an object into its folder's job, which is opened if need be, and opened again if it was ready.

        Args:
            options: those of the job, if this object is the first of it.

        Returns:
            The job, the image, and whether the object is new or was replaced since it was processed. An object that is
            known with this ``etag`` changes nothing.
        """
        with self._database.transaction() as connection:
            job = self._open(connection, folder, options)
            known = fetch_one(
                Image,
                connection,
                f"SELECT {IMAGE_COLUMNS} FROM images WHERE bucket = :bucket AND key = :key",
                bucket=bucket,
                key=key,
            )
            if known and known.job_id == job.id and known.etag == etag:
                return job, known, False
            rows = fetch(
                Image,
                connection,
                "INSERT INTO images (job_id, number, name, bucket, key, bytes, etag)"
                " SELECT :job, coalesce(max(number), 0) + 1, :name, :bucket, :key, :size, :etag"
                " FROM images WHERE job_id = :job"
                " ON CONFLICT (bucket, key) DO UPDATE SET job_id = excluded.job_id, etag = excluded.etag,"
                " bytes = excluded.bytes, state = 'waiting', revision = images.revision + 1, code = NULL,"
                " reason = NULL, updated_at = now()"
                f" RETURNING {IMAGE_COLUMNS}",
                job=job.id,
                name=name,
                bucket=bucket,
                key=key,
                size=size,
                etag=etag,
            )
            return self._stir(connection, job.id), rows[0], True

    def set_options(self, folder: str, options: dict[str, Any], *, problem: str | None) -> tuple[Job, list[Image]]:
        """Give a folder's job its options, and put those of its images back to waiting that were made with others.

        Args:
            problem: why the options can't be used; the images then fail with this reason.

        Returns:
            The job and the images to process again.
        """
        with self._database.transaction() as connection:
            job = self._open(connection, folder, options)
            changed = connection.run(
                "UPDATE jobs SET options = :options, options_problem = :problem WHERE id = :id"
                " AND (options <> :options OR options_problem IS DISTINCT FROM :problem) RETURNING id",
                options=json.dumps(options),
                problem=problem,
                id=job.id,
            )
            if not changed:
                return job, []
            images = fetch(
                Image,
                connection,
                "UPDATE images SET state = 'waiting', revision = revision + 1, code = NULL, reason = NULL,"
                f" updated_at = now() WHERE job_id = :id RETURNING {IMAGE_COLUMNS}",
                id=job.id,
            )
            return self._stir(connection, job.id), images

    def is_open(self, folder: str) -> bool:
        """Whether the folder has a job already."""
        sql = "SELECT FROM jobs WHERE folder = :folder AND source = 'drop' AND state <> 'expired'"
        return bool(self._database.query(lambda connection: connection.run(sql, folder=folder)))

    def known(self, bucket: str) -> dict[str, str | None]:
        """The keys of a bucket that belong to a job, with the ``etag`` that was seen last."""
        sql = "SELECT key, etag FROM images WHERE bucket = :bucket"
        return dict(self._database.query(lambda connection: connection.run(sql, bucket=bucket)) or [])

    def _open(self, connection: Connection, folder: str, options: dict[str, Any]) -> Job:
        """The folder's job, its row locked."""
        connection.run(
            "INSERT INTO jobs (id, source, folder, state, options, deadline_at, quiet_at)"
            " VALUES (:id, 'drop', :folder, 'receiving', :options, now() + make_interval(secs => :seconds),"
            " now() + make_interval(secs => :quiet))"
            " ON CONFLICT (folder) WHERE source = 'drop' AND state <> 'expired' DO NOTHING",
            id=new_job_id(),
            folder=folder,
            options=json.dumps(options),
            **self._times,
        )
        job = fetch_one(
            Job,
            connection,
            f"SELECT {JOB_COLUMNS} FROM jobs"
            " WHERE folder = :folder AND source = 'drop' AND state <> 'expired' FOR UPDATE",
            folder=folder,
        )
        # It can expire between the two statements; the next delivery then opens a new one.
        return job or self._open(connection, folder, options)

    def _stir(self, connection: Connection, job_id: str) -> Job:
        """The folder is not quiet: it receives again, also when its ZIP was made already."""
        return fetch(
            Job,
            connection,
            "UPDATE jobs SET revision = revision + CASE WHEN state = 'receiving' THEN 0 ELSE 1 END,"
            " state = 'receiving', ready_at = NULL, expires_at = NULL,"
            " quiet_at = now() + make_interval(secs => :quiet), deadline_at = now() + make_interval(secs => :seconds)"
            f" WHERE id = :id RETURNING {JOB_COLUMNS}",
            id=job_id,
            **self._times,
        )[0]
