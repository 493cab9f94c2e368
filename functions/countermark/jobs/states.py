"""The states that jobs and images go through.

A job::

    receiving ──> processing ──> archiving ──> ready ──> expired ──> gone
        ^              │             │           │          ^
        │              │             └──> failed ┼──────────┘
        └── a new or replaced file in a drop folder

An image::

    expected ──> waiting ──> done
                    ^    └─> failed, removed
                    └─ a replaced file, or new options: the next revision
"""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is."""

    RECEIVING = "receiving"  #: images may still be added
    PROCESSING = "processing"  #: all its images are known; some have not ended
    ARCHIVING = "archiving"  #: all have ended, and its ZIP is made
    READY = "ready"  #: everything can be downloaded, for an hour
    FAILED = "failed"  #: no image could be marked, or the ZIP could not be made
    EXPIRED = "expired"  #: its objects are being deleted
    GONE = "gone"  #: nothing is left but that it has been there


class ImageState(StrEnum):
    """Where an image is."""

    EXPECTED = "expected"  #: its original is not stored yet
    WAITING = "waiting"  #: for a function, or one works on it
    DONE = "done"
    FAILED = "failed"  #: for a reason that its code and reason tell
    REMOVED = "removed"  #: its file was taken out of the drop folder


class Source(StrEnum):
    """How a job came."""

    UPLOAD = "upload"
    DROP = "drop"


ENDED = (JobState.READY, JobState.FAILED)
OVER = (JobState.EXPIRED, JobState.GONE)
