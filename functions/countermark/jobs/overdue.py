"""What should have happened by now: the questions of the reconciliation."""

from dataclasses import dataclass

from countermark.jobs.model import Image, Job
from countermark.jobs.rows import IMAGE_COLUMNS, JOB_COLUMNS, fetch
from countermark.servers.database import Database

GRACE = 10
"""Seconds that an image may wait, or an archive be made, before somebody looks after it."""

KEEP = 24 * 3600
"""Seconds for which it is remembered that an expired job has been there."""


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """Reads the job store for jobs and images that a lost message would leave behind."""

    database: Database

    def due(self) -> list[str]:
        """Ids of jobs whose deadline has passed, or whose drop folder has gone quiet."""
        return self._ids(
            "SELECT id FROM jobs WHERE state IN ('receiving', 'processing') AND deadline_at <= now()"
            " OR state = 'receiving' AND quiet_at <= now()"
        )

    def archiving(self) -> list[Job]:
        """Jobs that are to be archived."""
        sql = f"SELECT {JOB_COLUMNS} FROM jobs WHERE state = 'archiving'"
        return self.database.query(lambda connection: fetch(Job, connection, sql))

    def expired(self) -> list[str]:
        """Ids of jobs whose time is over and whose files may still be there."""
        return self._ids(
            "SELECT id FROM jobs WHERE state IN ('ready', 'failed') AND expires_at <= now()"
            " OR state = 'expired' AND EXISTS (SELECT FROM images WHERE job_id = jobs.id)"
        )

    def waiting(self) -> list[Image]:
        """Images that have been waiting for some time, by job."""
        sql = (
            f"SELECT {IMAGE_COLUMNS} FROM images WHERE state = 'waiting'"
            " AND (SELECT state FROM jobs WHERE id = job_id) IN ('receiving', 'processing')"
            " AND updated_at < now() - make_interval(secs => :grace) ORDER BY job_id, number"
        )
        return self.database.query(lambda connection: fetch(Image, connection, sql, grace=GRACE))

    def purge(self) -> None:
        """Forget the jobs that expired long ago."""
        sql = (
            "DELETE FROM jobs WHERE state = 'expired' AND expires_at < now() - make_interval(secs => :keep)"
            " AND NOT EXISTS (SELECT FROM images WHERE job_id = jobs.id)"
        )
        self.database.query(lambda connection: connection.run(sql, keep=KEEP))

    def _ids(self, sql: str) -> list[str]:
        return [job_id for (job_id,) in self.database.query(lambda connection: connection.run(sql)) or []]
