"""The end of a job: its objects are deleted, exactly those that the ledger has, and then its rows."""

import structlog

from countermark.http.problems import NotFound, Problem
from countermark.jobs import outbox
from countermark.jobs.keys import options_key
from countermark.jobs.messages import JOBS_EXPIRED, subject
from countermark.servers.objects import DROP, RESULTS, UPLOADS
from countermark.services import Services

log = structlog.get_logger()


OURS = (RESULTS, UPLOADS)
"""What lies in these buckets is in the ledger, and nobody else's."""
FOLDER = "folder"
"""In place of a bucket: whose options these were."""


def expire(own: Services, job_id: str, *, at_once: bool) -> None:
    """Let a job expire whose hour is over, or at once; from now on no link to it is given out."""
    answer = own.database.call(
        "SELECT expire_v1(:job, :at_once, :share)", job=job_id, at_once=at_once, share=own.settings.line_share
    )
    outbox.send(own, answer["messages"])


def expire_at_once(own: Services, token: str) -> str:
    """Let the job expire that a token opens; the caller deletes its objects. Returns its internal id.

    Raises:
        NotFound: there is no such job. One that is gone already is no error.
    """
    rows = own.database.rows(
        "SELECT id, expire_v1(id, true, :share) FROM jobs WHERE token = :token",
        token=token,
        share=own.settings.line_share,
    )
    if not rows:
        raise NotFound
    (job_id, answer) = rows[0]
    # Nobody needs to be told of what the caller does now. If it fails, the sweep tells.
    its_own = subject(JOBS_EXPIRED, job_id)
    outbox.send(own, [message for message in answer["messages"] if message["subject"] != its_own])
    return str(job_id)


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
    remains = own.database.rows("SELECT bucket, key, etag, stored_at FROM remains_v1(:job)", job=job_id)
    unshared = {(bucket, key) for bucket, key, _, _ in remains if bucket in OURS}
    _delete(own, unshared)
    for bucket, key, etag, stored_at in remains:
        if etag and bucket not in OURS:
            place = options_key(key) if bucket == FOLDER else key
            own.objects.delete_if(DROP, place, etag, time=stored_at)
    freed = {(bucket, key) for bucket, key in own.database.rows("SELECT bucket, key FROM forget_v1(:job)", job=job_id)}
    _delete(own, freed - unshared)  # what two jobs shared that end at the same moment belongs to nobody only now
    log.info("job gone", objects=len(freed))


def _delete(own: Services, places: set[tuple[str, str]]) -> None:
    for bucket in OURS:
        keys = sorted(key for its, key in places if its == bucket)
        if keys:
            own.objects.delete(bucket, keys)
