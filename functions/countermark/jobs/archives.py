"""The attempts at a job's ZIP: the same leases as for images."""

from dataclasses import dataclass

from countermark.jobs import outbox
from countermark.jobs.keys import archive_key, new_lease, view_archive
from countermark.jobs.rows import JOB_COLUMNS, Job, fetch_one
from countermark.jobs.states import Source
from countermark.services import Services


@dataclass(frozen=True, kw_only=True)
class Archiving:
    """A job whose ZIP this process makes."""

    job: Job
    revision: int
    lease: str
    key: str
    """Where this attempt's ZIP goes."""


def take(own: Services, job_id: str, revision: int) -> Archiving | None:
    """Take a job to make its ZIP; None when there is nothing to do (any more), or another function has it."""
    lease = new_lease()
    key = archive_key(job_id, revision, lease)
    job = own.database.query(
        lambda connection: fetch_one(
            Job,
            connection,
            f"SELECT {JOB_COLUMNS} FROM take_archive_v2(:job, :revision, :lease, :seconds, :key)",
            job=job_id,
            revision=revision,
            lease=lease,
            seconds=own.settings.lease_seconds,
            key=key,
        )
    )
    return Archiving(job=job, revision=revision, lease=lease, key=key) if job else None


def renew(own: Services, archiving: Archiving) -> None:
    """Keep the lease for its whole time again."""
    own.database.call(
        "SELECT renew_archive_v1(:job, :lease, :seconds)",
        job=archiving.job.id,
        lease=archiving.lease,
        seconds=own.settings.lease_seconds,
    )


def finish(own: Services, archiving: Archiving, size: int) -> bool:
    """The ZIP is stored: the job is ``ready``, or ``failed`` when no image was marked.

    Returns:
        Whether this ZIP is the job's; False when the job went on meanwhile.
    """
    job = archiving.job
    return bool(
        own.database.call(
            "SELECT finish_archive_v2(:job, :revision, :lease, :key, :size, :view, :lifetime)",
            job=job.id,
            revision=archiving.revision,
            lease=archiving.lease,
            key=archiving.key,
            size=size,
            view=view_archive(job.folder or "") if job.source == Source.DROP else None,
            lifetime=own.settings.job_lifetime,
        )
    )


def release(own: Services, job_id: str, lease: str, *, counted: bool, resend: bool = False) -> str:
    """An attempt has ended without a ZIP. The job fails after ``ARCHIVE_ATTEMPTS`` of those that are counted.

    Returns:
        ``released``, ``given_up``, or ``stale``.
    """
    answer = own.database.call(
        "SELECT release_archive_v1(:job, :lease, :counted, :resend, :attempts, :lifetime)",
        job=job_id,
        lease=lease,
        counted=counted,
        resend=resend,
        attempts=own.settings.archive_attempts,
        lifetime=own.settings.job_lifetime,
    )
    outbox.send(own, answer["messages"])
    return str(answer["outcome"])


def dropped_images(own: Services, archiving: Archiving) -> dict[str, int]:
    """The numbers of a drop job's images, by the keys of their originals."""
    sql = "SELECT key, number FROM images WHERE job_id = :job AND bucket = 'drop' AND state IN ('done', 'failed')"
    return dict(own.database.rows(sql, job=archiving.job.id))


def remove_images(own: Services, archiving: Archiving, numbers: list[int]) -> None:
    """Images whose files were taken out of the folder leave its job, and so its next ZIP."""
    own.database.call(
        "SELECT remove_images_v1(:job, :lease, CAST(:numbers AS int[]))",
        job=archiving.job.id,
        lease=archiving.lease,
        numbers=numbers,
    )


def redo_image(own: Services, archiving: Archiving, number: int) -> None:
    """An image whose result is lost is marked again, and the ZIP is made after that."""
    answer = own.database.call(
        "SELECT redo_image_v1(:job, :lease, :number, :share)",
        job=archiving.job.id,
        lease=archiving.lease,
        number=number,
        share=own.settings.line_share,
    )
    outbox.send(own, answer["messages"])
