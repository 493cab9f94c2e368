"""The webhook of SeaweedFS's filer, turned into the event record that other stores send by themselves.

Its payload is described in ``notification.toml`` of ``weed scaffold``: a filer path, and the new entry. It comes at
most once; what is lost here the reconciliation finds.
"""

import base64
from typing import Any

from countermark.servers.events import ObjectCreated

BUCKETS = "/buckets/"


def read_notification(body: dict[str, Any]) -> ObjectCreated | None:
    """The object that a notification tells of; None when it is no new object.

    Raises:
        KeyError, TypeError, ValueError: it is no notification of SeaweedFS.
    """
    entry = body["message"].get("new_entry")
    path: str = body["key"]
    if body["event_type"] not in {"create", "update"} or entry is None or not path.startswith(BUCKETS):
        return None
    bucket, _, key = path.removeprefix(BUCKETS).partition("/")
    if not key or ".uploads/" in f"/{key}" or entry.get("is_directory"):
        return None  # folders, and parts of uploads that are not complete
    attributes = entry["attributes"]
    return ObjectCreated(
        bucket=bucket,
        key=key,
        etag=_etag(entry),
        bytes=attributes.get("file_size", 0),
        time=attributes.get("mtime", 0),
    )


def _etag(entry: dict[str, Any]) -> str:
    """The etag that the store's S3 side tells for the object."""
    stored = (entry.get("extended") or {}).get("Seaweed-X-Amz-ETag")
    if stored:
        return base64.b64decode(stored).decode().strip('"')
    return base64.b64decode(entry["attributes"].get("md5") or "").hex()
