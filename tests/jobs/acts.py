"""What the plain tests begin with: jobs and images in a state."""

from collections.abc import Callable, Sequence
from typing import Any

from countermark.jobs import images, opening, sweeping
from countermark.jobs.images import Result, Taken
from countermark.jobs.keys import direct_key, posted_key
from countermark.jobs.opening import NewImage, NewJob
from countermark.servers.objects import Object
from countermark.services import Services

Key = Callable[[str, int], str]
OWNER = "address:192.0.2.1"


def receiving(own: Services, names: Sequence[str], owner: str = OWNER, key: Key = posted_key) -> NewJob:
    """A job with images that are expected."""
    job = opening.new_job()
    new = [NewImage(number=n, name=name, key=key(job.id, n)) for n, name in enumerate(names, 1)]
    opening.open_job(own, job, owner, {}, new)
    return job


def ordered(own: Services, names: Sequence[str]) -> NewJob:
    """A job whose images come by links."""
    job = receiving(own, names, key=direct_key)
    opening.seal(own, job.id)
    return job


def waiting(own: Services, names: Sequence[str], owner: str = OWNER) -> NewJob:
    """A job whose images have come and wait."""
    job = receiving(own, names, owner)
    for number in range(1, len(names) + 1):
        opening.arrive(own, job.id, number, etag=f"etag {number}", size=1)
    opening.seal(own, job.id)
    return job


def dropped(key: str, etag: str = "etag") -> Object:
    """An object of the drop bucket, as the store tells of it."""
    return Object(key=key, etag=etag, bytes=1, time=0)


def take(own: Services, job: str, number: int = 1, revision: int = 1) -> Taken:
    """Take an image that waits."""
    taken = images.take(own, job, number, revision)
    assert taken is not None
    return taken


def finish(own: Services, taken: Taken) -> str | None:
    """Its result is stored."""
    own.objects.write("results", taken.result_key, taken.result_key.encode(), "image/png")
    result = Result(bytes=1, name=taken.name, format="PNG", width=1, height=1)
    return images.finish(own, taken, 1, result)


def ready(own: Services, names: Sequence[str] = ("a.png",), owner: str = OWNER) -> NewJob:
    """A job that is done but for its ZIP."""
    job = waiting(own, names, owner)
    for number in range(1, len(names) + 1):
        finish(own, take(own, job.id, number))
    return job


def image_row(own: Services, job: str, columns: str, number: int = 1) -> list[Any]:
    """Some columns of an image."""
    (row,) = own.database.rows(
        f"SELECT {columns} FROM images WHERE job_id = :job AND number = :number", job=job, number=number
    )
    return list(row)


def job_row(own: Services, job: str, columns: str) -> list[Any]:
    """Some columns of a job."""
    (row,) = own.database.rows(f"SELECT {columns} FROM jobs WHERE id = :job", job=job)
    return list(row)


def in_line(own: Services, owner: str = OWNER) -> list[tuple[str, int]]:
    """An owner's images in line."""
    sql = "SELECT job_id, number FROM images WHERE owner = :owner AND in_line ORDER BY job_id, number"
    return [(job, number) for job, number in own.database.rows(sql, owner=owner)]


def lapse(own: Services) -> None:
    """No lease is renewed in time, and the sweep comes."""
    own.database.rows("UPDATE images SET lease_until = now() - interval '1 s' WHERE lease IS NOT NULL RETURNING 1")
    own.database.rows("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE lease IS NOT NULL RETURNING 1")
    sweeping.begin(own)
    sweeping.take_back_leases(own)


def gap(own: Services, interval: str) -> None:
    """So long nothing was swept, and nobody renewed; a gap below zero is a clock that was set back."""
    own.database.rows("UPDATE sweeps SET swept_at = swept_at - CAST(:gap AS interval) RETURNING 1", gap=interval)
    own.database.rows("UPDATE images SET lease_until = lease_until - CAST(:gap AS interval) RETURNING 1", gap=interval)
    sweeping.begin(own)
    sweeping.take_back_leases(own)
