"""What a job and an image are, and the states that they go through.

A job::

    receiving ──> processing ──> archiving ──> ready ──> expired
        ^              │              │           │         ^
        │              │              └─> failed ─┼─────────┘
        └── a new object in a drop folder ────────┘

An image is ``waiting``, then ``done`` or ``failed`` with a reason.

"""

import enum
import secrets
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Job:
    """A row of ``jobs``; times are aware."""

    id: str
    source: str
    folder: str | None
    state: str
    options_hash: str
    """Changes with the options, which are read by themselves."""
    options_problem: str | None
    reason: str | None
    revision: int
    created_at: datetime
    deadline_at: datetime
    quiet_at: datetime | None
    ready_at: datetime | None
    expires_at: datetime | None
    archive_key: str | None
    archive_bytes: int | None


class Ending(enum.Enum):
    """What the end of an image meant for its job."""

    GONE = "gone"  #: the job was deleted meanwhile: nothing of it may be kept
    OPEN = "open"  #: other images are still waiting, or the job has ended already
    COMPLETE = "complete"  #: every image has ended: the job is to be archived

    @classmethod
    def of(cls, state: str) -> "Ending":
        """What a job's state says."""
        return {"expired": cls.GONE, "archiving": cls.COMPLETE}.get(state, cls.OPEN)


@dataclass(frozen=True, kw_only=True)
class Image:
    """A row of ``images``."""

    job_id: str
    number: int
    name: str
    bucket: str
    key: str
    bytes: int | None
    etag: str | None
    revision: int
    begun: int | None
    state: str
    code: str | None
    reason: str | None
    result_key: str | None
    result_bytes: int | None
    result_name: str | None
    format: str | None
    width: int | None
    height: int | None

    @property
    def is_working(self) -> bool:
        """Whether a function has begun with the image, as it is now, and not ended."""
        return self.state == "waiting" and self.begun == self.revision


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How many images of a job are in each state, and when that changed last."""

    waiting: int
    done: int
    failed: int
    changed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """An image that a job is to have; its bytes are or will be at ``bucket`` and ``key``."""

    number: int
    name: str
    bucket: str
    key: str
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """A marked image in the object store."""

    key: str
    bytes: int
    name: str
    format: str
    width: int
    height: int


def new_job_id() -> str:
    """An id that nobody guesses: 128 random bits in 32 hexadecimal digits."""
    return secrets.token_hex(16)
