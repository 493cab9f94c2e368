"""Messages: publishing them to the stream, and reading those that the connector delivers.

Subjects::

    objects.created.<bucket>   an S3 event record: an image has arrived                  -> watermark
    jobs.complete              {"job"}: every image has ended                            -> archive
    jobs.expired               {"job"}: the time of its files is over                    -> expire
    reconcile.all              on a schedule: look for what was lost                     -> reconcile
    reconcile.job              {"job"}: its deadline has passed, or its folder is quiet  -> reconcile
    reconcile.failed           {"subject", "data", "reason"}: a message was given up     -> reconcile
    schedules.<subject>.<job>  a message that the stream delivers at its time
    dead.<subject>             messages that were given up, with the reason

Every message has an id, by which the stream drops a second copy within an hour, and carries references, never bytes.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote_plus

from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from countermark.http.problems import Problem, Unavailable
from countermark.servers.objects import DROP
from countermark.servers.stream import connect_stream

OBJECT_CREATED = "objects.created"
JOB_COMPLETE = "jobs.complete"
JOB_EXPIRED = "jobs.expired"
RECONCILE_JOB = "reconcile.job"
PUBLISH_SECONDS = 5.0

CREATED_NAMES = tuple(f"ObjectCreated:{how}" for how in ("Put", "Post", "Copy", "CompleteMultipartUpload"))
"""Events that mean new bytes; other ``ObjectCreated`` events are fired by a change of tags."""


@dataclass(frozen=True, kw_only=True)
class ObjectCreated:
    """New bytes are at this place."""

    bucket: str
    key: str
    etag: str = ""
    bytes: int = 0
    time: int = 0
    """When they were stored, in seconds since 1970; 0 where nobody asks."""


class Events:
    """Publishes messages from any thread, through one connection of this process.

    The connection is made by the first message and comes back by itself after the server was away.
    """

    def __init__(self, addresses: str) -> None:
        self._addresses = addresses
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stream: JetStreamContext | None = None
        self._connecting = asyncio.Lock()

    def publish(self, subject: str, data: dict[str, Any], message_id: str) -> None:
        """Publish a message and wait until the stream has stored it.

        Raises:
            Unavailable: the stream did not confirm it; it may have been stored all the same.
        """
        self._run(self._publish(subject, data, {"Nats-Msg-Id": message_id}))

    def schedule(self, subject: str, data: dict[str, Any], *, name: str, at: datetime) -> None:
        """Let the stream deliver a message at a time; a later call for the same subject and name replaces it.

        Raises:
            Unavailable: the stream did not confirm it.
        """
        # A second later, so that it is really due by the database's clock as well.
        time = (at.astimezone(UTC) + timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        headers = {"Nats-Schedule": f"@at {time}", "Nats-Schedule-Target": subject}
        self._run(self._publish(f"schedules.{subject}.{name}", data, headers))

    def publish_created(self, created: ObjectCreated, again: str = "") -> None:
        """Tell that an image has arrived; the same object is told once, and once more for each ``again``."""
        self.publish(f"{OBJECT_CREATED}.{created.bucket}", created_record(created), created_id(created, again))

    def publish_complete(self, job_id: str, revision: int) -> None:
        """Tell that every image of a job has ended."""
        self.publish(JOB_COMPLETE, {"job": job_id}, f"complete/{job_id}/{revision}")

    def _run(self, coroutine: Any) -> None:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="events", daemon=True).start()
        try:
            asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PUBLISH_SECONDS * 2)
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable("The message stream does not answer.") from error

    async def _publish(self, subject: str, data: dict[str, Any], headers: dict[str, str]) -> None:
        stream = await self._connected()
        await stream.publish(subject, json.dumps(data).encode(), timeout=PUBLISH_SECONDS, headers=headers)

    async def _connected(self) -> JetStreamContext:
        async with self._connecting:
            if self._stream is None:
                self._stream = (await connect_stream(self._addresses)).jetstream()
            return self._stream


def created_id(created: ObjectCreated, again: str = "") -> str:
    """The id of the message about an object, the same whoever sends it.

    Uploads are stored once. What lies in the drop bucket may be replaced, also by the same bytes, or be processed
    ``again``.
    """
    version = f"/{created.etag}/{again or created.time}" if created.bucket == DROP else ""
    return f"{created.bucket}/{created.key}{version}"


def created_record(created: ObjectCreated) -> dict[str, Any]:
    """An S3 event notification as the stores send it (event message structure 2.0): the key is query-escaped."""
    item = {"key": quote(created.key, safe="/"), "size": created.bytes, "eTag": created.etag}
    return {
        "Records": [
            {
                "eventSource": "countermark:s3",
                "eventName": "ObjectCreated:Put",
                "eventTime": datetime.fromtimestamp(created.time, UTC).isoformat().replace("+00:00", "Z"),
                "s3": {"bucket": {"name": created.bucket}, "object": item},
            }
        ]
    }


def read_created(data: dict[str, Any]) -> Iterator[ObjectCreated]:
    """The objects that an S3 event notification tells of; every store that sends one sends this shape.

    Raises:
        Problem: it is not such a notification.
    """
    try:
        for record in data["Records"]:
            if record["eventName"].removeprefix("s3:") in CREATED_NAMES:
                item = record["s3"]["object"]
                yield ObjectCreated(
                    bucket=record["s3"]["bucket"]["name"],
                    key=unquote_plus(item["key"]),
                    etag=item.get("eTag", "").strip('"'),
                    bytes=item.get("size", 0),
                )
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem(f"This is not an S3 event notification: {error!r}.") from error
