"""The end of a job: its objects are deleted, exactly those that the ledger has, and then its rows."""

from dataclasses import dataclass

import structlog

from countermark.http.problems import Problem
from countermark.jobs import outbox
from countermark.jobs.keys import options_key
from countermark.jobs.reading import find_job_by_id
from countermark.jobs.rows import Job
from countermark.jobs.states import JobState, Source
from countermark.servers.objects import DROP, RESULTS, UPLOADS
from countermark.services import Services

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """An object that people have put in the drop bucket, as it was when it was marked."""

    key: str
    etag: str | None
    stored_at: int | None
    """None in a row of the first version."""


def expire(own: Services, job_id: str, *, at_once: bool) -> None:
    """Let a job expire whose hour is over, or at once; from now on no link to it is given out."""
    answer = own.database.call(
        "SELECT expire_v1(:job, :at_once, :share)", job=job_id, at_once=at_once, share=own.settings.line_share
    )
    outbox.send(own, answer["messages"])


def abandon(own: Services, job_id: str) -> None:
    """End a job whose request has failed, so that nobody knows it. Without the database its deadline does that."""
    try:
        expire(own, job_id, at_once=True)
    except Problem as problem:
        log.warning("a job that has failed to begin is left to its deadline", job=job_id, why=problem.detail)


def delete_objects(own: Services, job_id: str) -> None:
    """Delete the objects of an expired job, and then forget it. Broken off in between, it is done again.

    In ``drop`` an object is deleted only if it is the one that was marked: a file that somebody has put there since is
    the next job's, also when it is the same once more.
    """
    job = find_job_by_id(own, job_id)
    if job is None or job.state != JobState.EXPIRED:
        log.info("nothing to delete", state=job and job.state)
        return
    unshared = _unshared(own, job_id)
    _delete(own, unshared)
    dropped = _dropped(own, job) if job.source == Source.DROP else []
    for each in dropped:
        if each.etag:
            own.objects.delete_if(DROP, each.key, each.etag, time=each.stored_at)
    freed = {(bucket, key) for bucket, key in own.database.rows("SELECT bucket, key FROM forget_v1(:job)", job=job_id)}
    _delete(own, freed - unshared)  # what two jobs shared that end at the same moment belongs to nobody only now
    log.info("job gone", objects=len(freed))


def _delete(own: Services, places: set[tuple[str, str]]) -> None:
    for bucket in (RESULTS, UPLOADS):
        keys = sorted(key for its, key in places if its == bucket)
        if keys:
            own.objects.delete(bucket, keys)


def _unshared(own: Services, job_id: str) -> set[tuple[str, str]]:
    rows = own.database.rows(
        "SELECT bucket, key FROM ledger l WHERE job_id = :job AND NOT EXISTS"
        " (SELECT FROM ledger o WHERE o.bucket = l.bucket AND o.key = l.key AND o.job_id <> l.job_id)",
        job=job_id,
    )
    return {(bucket, key) for bucket, key in rows}


def _dropped(own: Services, job: Job) -> list[Dropped]:
    rows = own.database.rows(
        "SELECT key, etag, stored_at FROM images WHERE job_id = :job AND bucket = 'drop' AND state <> 'removed'"
        " UNION ALL SELECT :options, options_etag, options_stored_at FROM jobs WHERE id = :job",
        job=job.id,
        options=options_key(job.folder or ""),
    )
    return [Dropped(key=key, etag=etag, stored_at=stored_at) for key, etag, stored_at in rows]
