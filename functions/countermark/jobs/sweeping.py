"""What the sweep asks of the database: everything that nobody has noticed. Each may be asked at any time, and twice.

Every job is changed in a transaction of its own: one that held several jobs could wait for somebody who waits for it.
"""

from collections.abc import Callable
from typing import Any

import structlog

from countermark.http.problems import Unavailable
from countermark.jobs import archives, endings, images, opening, outbox
from countermark.services import Services

log = structlog.get_logger()

PERIOD = 5
"""Seconds between two sweeps, as stack.yml schedules them."""
RESEND_SECONDS = 15
"""After so long a message may be lost; the stream itself refuses one that it still has."""
KEEP_SECONDS = 24 * 3600
"""For so long it is remembered that a job has been there, so that its link says expired and not unknown."""


def alone(step: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Do a step of the sweep whose fault must not keep the others from being done; None if it had one.

    Raises:
        Unavailable: a server is away, and the others would only wait for it as well.
    """
    try:
        return step(*arguments, **named)
    except Unavailable:
        raise
    except Exception:
        log.exception("a step of the sweep failed")
        return None


def begin(own: Services) -> None:
    """Note that the sweep runs; after a gap, or when the clock was set back, the clocks of jobs are put right first."""
    gap = own.database.call(
        "SELECT extract(epoch FROM begin_sweep_v1(:period, :lease, :lifetime))",
        period=PERIOD,
        lease=own.settings.lease_seconds,
        lifetime=own.settings.job_lifetime,
    )
    if gap is not None:
        log.warning("nothing was swept for some time: the clocks of jobs stood still", seconds=float(gap))


def take_back_leases(own: Services) -> int:
    """Take work from functions that do not renew their lease any more; each is a failed attempt."""
    lapsed = own.database.rows(
        "SELECT job_id, number, lease FROM images WHERE lease IS NOT NULL AND lease_until < now()"
    )
    for job_id, number, lease in lapsed:
        outcome = alone(images.release, own, job_id, number, lease, counted=True, resend=True)
        log.warning("a lease lapsed", job=job_id, image=number, outcome=outcome)
    archiving = own.database.rows("SELECT id, lease FROM jobs WHERE state = 'archiving' AND lease_until < now()")
    for job_id, lease in archiving:
        outcome = alone(archives.release, own, job_id, lease, counted=True, resend=True)
        log.warning("a lease lapsed", job=job_id, outcome=outcome)
    return len(lapsed) + len(archiving)


def settle_jobs(own: Services) -> int:
    """Let jobs go on whose deadline has passed, whose folder is quiet, or whose end or line nobody has settled."""
    due = own.database.rows(
        "SELECT id, progress_at < now() - make_interval(secs => :seconds)"
        " FROM jobs WHERE state = 'receiving' AND quiet_at <= now()"
        " OR state IN ('receiving', 'processing') AND progress_at < now() - make_interval(secs => :seconds)"
        "    AND (source = 'upload' OR state = 'processing') AND (state = 'receiving'"
        "         OR EXISTS (SELECT FROM images WHERE job_id = jobs.id AND state = 'expected'))"
        " OR state = 'processing' AND NOT EXISTS"
        "    (SELECT FROM images WHERE job_id = jobs.id AND state IN ('expected', 'waiting'))"
        " OR state IN ('receiving', 'processing') AND EXISTS"
        "    (SELECT FROM images WHERE job_id = jobs.id AND state = 'waiting' AND NOT in_line)"
        "    AND (SELECT count(*) FROM images WHERE owner = jobs.owner AND in_line) < :share",
        seconds=own.settings.upload_seconds,
        share=own.settings.line_share,
    )
    for job_id, is_late in due:
        alone(_settle, own, job_id, is_late=is_late)
    return len(due)


def _settle(own: Services, job_id: str, *, is_late: bool) -> None:
    try:
        if is_late:
            opening.take_stored(own, job_id)
    except Unavailable as error:  # what it has must not be given up; other jobs need no store
        log.warning("a deadline waits for the store", job=job_id, why=error.detail)
        return
    answer = own.database.call(
        "SELECT settle_job_v1(:job, :seconds, :share)",
        job=job_id,
        seconds=own.settings.upload_seconds,
        share=own.settings.line_share,
    )
    outbox.send(own, answer["messages"])


def expire_jobs(own: Services) -> int:
    """Let every job expire whose hour is over."""
    due = own.database.rows("SELECT id FROM jobs WHERE state IN ('ready', 'failed') AND expires_at <= now()")
    for (job_id,) in due:
        alone(endings.expire, own, job_id, at_once=False)
    return len(due)


def resend(own: Services) -> int:
    """Send what is in line, to be archived or to be deleted, and was sent long ago; and what the outbox still has."""
    messages = own.database.call("SELECT resend_v1(:seconds)", seconds=RESEND_SECONDS)
    outbox.send_again(own, messages)
    return len(messages) + outbox.send_overdue(own)


def purge(own: Services) -> None:
    """Forget jobs that are gone for long, altogether."""
    own.database.rows(
        "DELETE FROM jobs WHERE state = 'gone' AND expires_at < now() - make_interval(secs => :keep) RETURNING id",
        keep=KEEP_SECONDS,
    )
