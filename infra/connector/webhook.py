"""The webhook of SeaweedFS's filer, turned into the event record that other stores send by themselves.

Its payload is described in ``notification.toml`` of ``weed scaffold``: a filer path, and the new entry. It comes at
most once; what is lost here the sweep finds.
"""

from countermark.servers.notifications import ObjectCreated
from countermark.servers.objects import DROP, UPLOADS
from pydantic import BaseModel

BUCKETS = "/buckets/"
WATCHED = {DROP: "", UPLOADS: "direct/"}
"""The buckets that others than the functions write to, and below which key."""


class Entry(BaseModel):
    """What is at the path now."""

    is_directory: bool = False


class Message(BaseModel):
    """What has happened; without an entry nothing is there any more."""

    new_entry: Entry | None = None


class Notification(BaseModel):
    """What the filer sends."""

    event_type: str
    key: str
    message: Message


def read_notification(body: bytes) -> ObjectCreated | None:
    """The object that a notification tells of; None when it is no new object that anybody waits for.

    Raises:
        ValueError: it is no notification of SeaweedFS.
    """
    told = Notification.model_validate_json(body)
    entry = told.message.new_entry
    if told.event_type not in {"create", "update"} or entry is None or entry.is_directory:
        return None
    bucket, _, key = told.key.removeprefix(BUCKETS).partition("/")
    if not told.key.startswith(BUCKETS) or bucket not in WATCHED or not key.startswith(WATCHED[bucket]):
        return None
    if key in {"", WATCHED[bucket]} or key.startswith(".uploads/"):
        return None  # the bucket itself, and parts of uploads that are not complete
    return ObjectCreated(bucket=bucket, key=key)
