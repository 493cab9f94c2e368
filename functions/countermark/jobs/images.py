"""The attempts at an image: a function takes it, works under a lease, and ends it in one of four ways.

Whoever finishes without the lease that it took has worked in vain, and deletes the object that it made: its key is its
own, so that nobody else's result is lost.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from countermark.jobs import outbox
from countermark.jobs.keys import new_lease, result_key, view_prefix
from countermark.jobs.naming import NAME_PARAMETERS, NameParts
from countermark.jobs.states import ImageState, Source
from countermark.servers.objects import Object
from countermark.services import Services


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An image that this process works on, as its row was when it was taken."""

    job_id: str
    number: int
    revision: int
    lease: str
    result_key: str
    """Where this attempt's result goes."""
    name: str
    bucket: str
    key: str
    etag: str
    source: str
    folder: str | None
    options_hash: str
    options_problem: str | None

    @property
    def view_prefix(self) -> str | None:
        """Where the copy that people see goes, without its name; None for a job that was not dropped."""
        return view_prefix(self.folder or "") if self.source == Source.DROP else None


@dataclass(frozen=True, kw_only=True)
class Result:
    """A marked image in the object store."""

    bytes: int
    name: str
    """As it should be called; another image of the job may have that name."""
    format: str
    width: int
    height: int
    notes: Mapping[str, str] = field(default_factory=dict)
    """What a person should know of it: codes and texts."""


def take(own: Services, job_id: str, number: int, revision: int) -> Taken | None:
    """Take an image to work on it; None when there is nothing to do (any more), or another function has it."""
    lease = new_lease()
    key = result_key(job_id, number, revision, lease)
    row = own.database.call(
        "SELECT take_image_v2(:job, :number, :revision, :lease, :seconds, :key)",
        job=job_id,
        number=number,
        revision=revision,
        lease=lease,
        seconds=own.settings.lease_seconds,
        key=key,
    )
    if row is None:
        return None
    return Taken(job_id=job_id, number=number, revision=revision, lease=lease, result_key=key, **row)


def renew(own: Services, taken: Taken) -> None:
    """Keep the lease for its whole time again."""
    own.database.call(
        "SELECT renew_image_v1(:job, :number, :lease, :seconds)",
        job=taken.job_id,
        number=taken.number,
        lease=taken.lease,
        seconds=own.settings.lease_seconds,
    )


def finish(own: Services, taken: Taken, size: int, result: Result) -> str | None:
    """The image is marked, and its result stored; the last one completes its job.

    Args:
        size: bytes of the original.

    Returns:
        The result's name in the job; None when the work was in vain.
    """
    answer = own.database.call(
        "SELECT finish_image_v2(:job, :number, :revision, :lease, :size, :key, :result_bytes, :format, :width,"
        f" :height, :notes, {NAME_PARAMETERS}, :view, :share)",
        **_which(taken),
        size=size,
        key=taken.result_key,
        result_bytes=result.bytes,
        format=result.format,
        width=result.width,
        height=result.height,
        notes=json.dumps([{"code": code, "text": text} for code, text in result.notes.items()]),
        **NameParts.of(result.name).parameters(),
        view=taken.view_prefix,
        share=own.settings.line_share,
    )
    outbox.send(own, answer["messages"])
    name: str | None = answer.get("name")
    return name


def fail(own: Services, taken: Taken, code: str, reason: str, *, state: ImageState = ImageState.FAILED) -> None:
    """The image can't be marked, for a reason of its own that a person understands."""
    answer = own.database.call(
        "SELECT fail_image_v1(:job, :number, :revision, :lease, :state, :code, :reason, :share)",
        **_which(taken),
        state=state.value,
        code=code,
        reason=reason,
        share=own.settings.line_share,
    )
    outbox.send(own, answer["messages"])


def replace(own: Services, taken: Taken, item: Object) -> None:
    """Another file was stored in the original's place: it is the next revision."""
    answer = own.database.call(
        "SELECT replace_image_v1(:job, :number, :revision, :etag, :time, :size, :share)",
        job=taken.job_id,
        number=taken.number,
        revision=taken.revision,
        etag=item.etag,
        time=item.time,
        size=item.bytes,
        share=own.settings.line_share,
    )
    outbox.send(own, answer["messages"])


def release(own: Services, job_id: str, number: int, lease: str, *, counted: bool, resend: bool = False) -> str:
    """An attempt has ended without a result, and the lease is given back.

    Args:
        counted: whether the fault is ours; the image is given up after ``IMAGE_ATTEMPTS`` of those.
        resend: whether nobody holds the image's message, so that it must be sent.

    Returns:
        ``released``, ``given_up``, or ``stale``.
    """
    answer = own.database.call(
        "SELECT release_image_v1(:job, :number, :lease, :counted, :resend, :attempts, :share)",
        job=job_id,
        number=number,
        lease=lease,
        counted=counted,
        resend=resend,
        attempts=own.settings.image_attempts,
        share=own.settings.line_share,
    )
    outbox.send(own, answer["messages"])
    return str(answer["outcome"])


def _which(taken: Taken) -> dict[str, Any]:
    return {"job": taken.job_id, "number": taken.number, "revision": taken.revision, "lease": taken.lease}
