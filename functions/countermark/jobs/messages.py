"""The messages of the stream. Each is a hint that something may be to do: it may be lost, doubled or late."""

VERSION = 1
"""Of the data of messages. A function leaves a newer one to a newer replica."""

IMAGES_WAITING = "images.waiting"
"""``images.waiting.<job>.<number>.<revision>`` {"job", "number", "revision"}: an image is in line -> watermark"""
JOBS_COMPLETE = "jobs.complete"
"""``jobs.complete.<job>.<revision>`` {"job", "revision"}: every image has ended -> archive"""
JOBS_EXPIRED = "jobs.expired"
"""``jobs.expired.<job>`` {"job"}: the time of its files is over -> expire"""
RECONCILE_SWEEP = "reconcile.sweep"
"""On a schedule of the stream: look for what was lost -> reconcile"""
OBJECTS_CREATED = "objects.created"
"""``objects.created.<bucket>``, an S3 event record: somebody has stored an object -> drop"""


def subject(kind: str, *parts: str | int) -> str:
    """The subject of one message: its kind, and what it is about.

    Raises:
        ValueError: a part would be read as several, or as a pattern.
    """
    tokens = [str(part) for part in parts]
    for token in tokens:
        if not token or not token.isprintable() or any(sign in ". *>" for sign in token):
            raise ValueError(f"{token!r} can't be a part of a subject")
    return ".".join([kind, *tokens])
