"""The subjects of the stream, in one place.

Subjects::

    images.waiting.<job>.<number>.<revision>   {"version", "job", "number", "revision"}   -> watermark
    jobs.complete.<job>.<revision>             {"version", "job", "revision"}             -> archive
    jobs.expired.<job>                         {"version", "job"}                         -> expire
    reconcile.sweep                            {}, again and again                        -> reconcile
    objects.created.<bucket>                   an S3 event record                         -> drop
    dead.<subject>                             what a function refused, with the reason

Messages are hints: each may be lost, doubled or late, and the rows say what to do. They carry references, never bytes.
"""

IMAGES_WAITING = "images.waiting"
JOBS_COMPLETE = "jobs.complete"
JOBS_EXPIRED = "jobs.expired"
RECONCILE_SWEEP = "reconcile.sweep"
OBJECTS_CREATED = "objects.created"

VERSION = 1
"""Of the data of a message: what is read differently has another."""


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
