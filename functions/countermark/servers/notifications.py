"""S3 event records: how every object store tells that new bytes are there (event message structure 2.0)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus

from countermark.http.problems import Problem

CREATED_NAMES = tuple(f"ObjectCreated:{how}" for how in ("Put", "Post", "Copy", "CompleteMultipartUpload"))
"""Events that mean new bytes; other ``ObjectCreated`` events are fired by a change of tags."""


@dataclass(frozen=True, kw_only=True)
class ObjectCreated:
    """New bytes are at this place. What they are, the store is asked: a notification may be old."""

    bucket: str
    key: str


def created_record(created: ObjectCreated) -> dict[str, Any]:
    """The record that stores send by themselves, for those that do not; the key is query-escaped."""
    stored = {"bucket": {"name": created.bucket}, "object": {"key": quote(created.key, safe="/")}}
    return {"Records": [{"eventSource": "countermark:s3", "eventName": CREATED_NAMES[0], "s3": stored}]}


def read_created(data: Any) -> Iterator[ObjectCreated]:
    """The objects that a notification tells of.

    Raises:
        Problem: it is not such a notification.
    """
    try:
        for record in data["Records"]:
            if record["eventName"].removeprefix("s3:") in CREATED_NAMES:
                stored = record["s3"]
                yield ObjectCreated(bucket=stored["bucket"]["name"], key=unquote_plus(stored["object"]["key"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem(f"This is not an S3 event notification: {error!r}.") from error
