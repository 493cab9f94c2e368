"""What the rows know of the objects in the store, for whoever compares the two."""

from countermark.jobs.rows import JOB_COLUMNS, Job, fetch
from countermark.services import Services


def begin(own: Services, pause: int) -> bool:
    """Take the lease of a comparison, if the last one ended ``pause`` seconds ago and nobody compares."""
    sql = (
        "UPDATE sweeps SET comparing_until = now() + make_interval(secs => :seconds)"
        " WHERE compared_at < now() - make_interval(secs => :pause)"
        " AND (comparing_until IS NULL OR comparing_until < now()) RETURNING true"
    )
    return bool(own.database.call(sql, pause=pause, seconds=own.settings.lease_seconds))


def renew(own: Services) -> None:
    """Keep the lease."""
    sql = (
        "UPDATE sweeps SET comparing_until = now() + make_interval(secs => :seconds) WHERE comparing_until IS NOT NULL"
    )
    own.database.rows(sql, seconds=own.settings.lease_seconds)


def end(own: Services) -> None:
    """The comparison is over."""
    own.database.rows("UPDATE sweeps SET compared_at = now(), comparing_until = NULL")


def now(own: Services) -> float:
    """The database's time, in seconds since 1970."""
    return float(own.database.call("SELECT extract(epoch FROM now())"))


def dropped_objects(own: Services) -> dict[str, str]:
    """The keys in `drop` that a job has, with the ETag that it has of each."""
    return dict(own.database.rows("SELECT key, etag FROM images WHERE bucket = 'drop' AND state <> 'removed'"))


def folder_options(own: Services) -> dict[str, str | None]:
    """The folders that have a job, with the ETag of the options that it was given."""
    return dict(own.database.rows("SELECT folder, options_etag FROM jobs WHERE source = 'drop' AND state <> 'gone'"))


def expected_images(own: Services) -> set[tuple[str, int]]:
    """Job and number of each image whose original was not seen yet."""
    rows = own.database.rows("SELECT job_id, number FROM images WHERE state = 'expected'")
    return {(job_id, number) for job_id, number in rows}


def folder_jobs(own: Services) -> list[Job]:
    """The jobs of drop folders that can be downloaded."""
    sql = (
        f"SELECT {JOB_COLUMNS} FROM jobs WHERE source = 'drop' AND state IN ('ready', 'failed') AND expires_at > now()"
    )
    return own.database.query(lambda connection: fetch(Job, connection, sql))


def known_keys(own: Services, bucket: str, keys: list[str]) -> set[str]:
    """Those of the keys that the ledger has."""
    sql = "SELECT key FROM ledger WHERE bucket = :bucket AND key = ANY(CAST(:keys AS text[]))"
    return {key for (key,) in own.database.rows(sql, bucket=bucket, keys=keys)}


def count_comparison(own: Services, seen: int) -> int | None:
    """Count a comparison; the store has seen so many. None: the database has seen fewer, so it is an older one."""
    sql = "UPDATE sweeps SET generation = generation + 1 WHERE generation >= :seen RETURNING generation"
    generation: int | None = own.database.call(sql, seen=seen)
    return generation
