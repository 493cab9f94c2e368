"""The object store and the stream in memory, for tests that try the flow in every order of its steps.

tests/contracts hold them to what the real servers do.
"""

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from countermark.http.problems import Unavailable
from countermark.servers.object_errors import NoSuchObject, ObjectTooLarge, Refused, Replaced
from countermark.servers.objects import CHUNK_BYTES, DROP, PART_BYTES, RESULTS, UPLOADS, Object, Readable

BUCKETS = (UPLOADS, RESULTS, DROP)
LONGEST_KEY = 1024
LONGEST_SEGMENT = 255
"""Bytes of a key, and of a part of it between slashes, as stores on file systems have them."""
FIRST_PARTS = ("images", "jobs", "objects", "reconcile", "schedules", "dead")
"""The first parts of the subjects that streams take."""
ONE_A_SUBJECT = ("images", "jobs")
"""Of these a stream keeps one message a subject, and refuses a second one."""
LARGEST_MESSAGE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An object: what the store knows of it, and its bytes."""

    known: Object
    data: bytes
    media_type: str


class MemoryObjects:
    """The interface of ObjectStore on a dictionary; safe to use from many threads.

    An object is stored whole or not at all, and seen by whoever asks after that.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Stored] = {}
        """By bucket and key."""
        self._lock = threading.Lock()

    def close(self) -> None:
        """There is no connection."""

    def read(self, bucket: str, key: str, *, limit: int, etag: str | None = None) -> tuple[bytes, str]:
        """The object's bytes and its etag.

        Raises:
            NoSuchObject, ObjectTooLarge, Replaced: as in ObjectStore.
        """
        stored = self._get(bucket, key, etag)
        if len(stored.data) > limit:
            raise ObjectTooLarge(f"{len(stored.data)} bytes")
        return stored.data, stored.known.etag

    def stat(self, bucket: str, key: str) -> Object:
        """What the store knows of the object.

        Raises:
            NoSuchObject: it is not there.
        """
        return self._get(bucket, key).known

    def chunks(self, bucket: str, key: str) -> Iterator[bytes]:
        """The object's bytes, a megabyte at a time.

        Raises:
            NoSuchObject: it is not there.
        """
        data = self._get(bucket, key).data
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES]

    def write(self, bucket: str, key: str, data: bytes, media_type: str) -> str:
        """Store an object, and return its etag."""
        _check(bucket, key)
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return self._put(bucket, key, etag, data, media_type)

    def write_stream(
        self, bucket: str, key: str, stream: Readable, media_type: str = "application/octet-stream"
    ) -> tuple[str, int]:
        """Store what a stream yields; an exception of its ``read`` comes out, and nothing is stored.

        Returns:
            The etag, and the number of bytes.
        """
        parts = []
        while part := _next_part(stream):
            parts.append(part)
        data = b"".join(parts)
        if len(data) < PART_BYTES:
            return self.write(bucket, key, data, media_type), len(data)
        return self.put_parts(bucket, key, parts, media_type), len(data)

    def begin(self, bucket: str, key: str, media_type: str) -> "MemoryUpload":
        """Begin to store an object in parts."""
        _check(bucket, key)
        return MemoryUpload(self, bucket, key, media_type)

    def put_parts(self, bucket: str, key: str, parts: Sequence[bytes], media_type: str) -> str:
        """Store an object of these parts, and return its etag."""
        _check(bucket, key)
        sums = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
        etag = f"{hashlib.md5(sums, usedforsecurity=False).hexdigest()}-{len(parts)}"
        return self._put(bucket, key, etag, b"".join(parts), media_type)

    def copy(self, bucket: str, key: str, to_bucket: str, to_key: str, *, etag: str | None = None) -> str:
        """Copy an object, and return the etag of the copy.

        Raises:
            NoSuchObject, Replaced: as in ObjectStore.
        """
        _check(to_bucket, to_key)
        stored = self._get(bucket, key, etag)
        return self.write(to_bucket, to_key, stored.data, stored.media_type)

    def list(self, bucket: str, prefix: str = "") -> Iterator[Object]:
        """The objects whose key begins with a prefix, as they are when the first is asked for."""
        _find(bucket)
        with self._lock:
            found = [
                stored.known
                for (its, key), stored in self.objects.items()
                if (its, key[: len(prefix)]) == (bucket, prefix)
            ]
        yield from sorted(found, key=lambda item: item.key)

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error."""
        _find(bucket)
        with self._lock:
            for key in keys:
                self.objects.pop((bucket, key), None)

    def delete_if(self, bucket: str, key: str, etag: str, *, time: int | None = None) -> bool:
        """Delete an object if it is still that version; whether it was."""
        with self._lock:
            stored = self.objects.get((bucket, key))
            if stored is None or stored.known.etag != etag or time not in {None, stored.known.time}:
                return False
            del self.objects[bucket, key]
            return True

    def link_to_get(self, address: str, bucket: str, key: str, *, seconds: int, name: str, inline: bool) -> str:  # noqa: ARG002
        """Where the object is; nobody listens there."""
        return f"{address}/{bucket}/{key}"

    def link_to_put(self, address: str, bucket: str, key: str, *, seconds: int, size: int) -> str:  # noqa: ARG002
        """Where the object may be put; nobody listens there."""
        return f"{address}/{bucket}/{key}"

    def age(self, seconds: int) -> None:
        """Let every object be older."""
        with self._lock:
            for place, stored in self.objects.items():
                self.objects[place] = replace(stored, known=replace(stored.known, time=stored.known.time - seconds))

    def _get(self, bucket: str, key: str, etag: str | None = None) -> Stored:
        _find(bucket)
        with self._lock:
            stored = self.objects.get((bucket, key))
        if stored is None:
            raise NoSuchObject
        if etag is not None and etag != stored.known.etag:
            raise Replaced
        return stored

    def _put(self, bucket: str, key: str, etag: str, data: bytes, media_type: str) -> str:
        known = Object(key=key, etag=etag, bytes=len(data), time=int(time.time()))
        with self._lock:
            self.objects[bucket, key] = Stored(known=known, data=data, media_type=media_type)
        return etag


class MemoryUpload:
    """An object that is being stored in parts."""

    def __init__(self, objects: MemoryObjects, bucket: str, key: str, media_type: str) -> None:
        self._objects, self._place, self._media_type = objects, (bucket, key), media_type
        self._parts: list[bytes] = []

    def send(self, data: bytes) -> None:
        """Send the next part."""
        self._parts.append(data)

    def complete(self) -> str:
        """Make the object of its parts, and return its etag."""
        return self._objects.put_parts(*self._place, self._parts, self._media_type)

    def abort(self) -> None:
        """Forget what was sent."""
        self._parts.clear()


class MemoryStream:
    """The interface of Publisher on a dictionary: what the streams keep until a function has answered."""

    def __init__(self) -> None:
        self.messages: dict[str, list[dict[str, Any]]] = {}
        """By subject, in the order in which they came."""
        self._lock = threading.Lock()

    def close(self) -> None:
        """There is no connection."""

    def publish(self, subject: str, data: dict[str, Any]) -> None:
        """Publish one message.

        Raises:
            Unavailable: no stream takes it.
        """
        self.publish_all([(subject, data)])

    def publish_all(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> list[bool]:
        """Publish messages.

        Returns:
            for each whether a stream has it, be it from before.

        Raises:
            Unavailable: no stream takes any of them.
        """
        confirmed = [self._publish(subject, data) for subject, data in messages]
        if messages and not any(confirmed):
            raise Unavailable("The message stream does not answer.")
        return confirmed

    def _publish(self, subject: str, data: dict[str, Any]) -> bool:
        first = subject.partition(".")[0]
        if first not in FIRST_PARTS or " " in subject or len(str(data)) > LARGEST_MESSAGE:
            return False
        with self._lock:
            there = self.messages.setdefault(subject, [])
            if not there or first not in ONE_A_SUBJECT:
                there.append(data)
        return True


def _next_part(stream: Readable) -> bytes:
    pieces, size = [], 0
    while size < PART_BYTES and (piece := stream.read(PART_BYTES - size)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _find(bucket: str) -> None:
    """A bucket that is not there is a fault of the installation."""
    if bucket not in BUCKETS:
        raise Unavailable("The object store does not answer as it should: NoSuchBucket.")


def _check(bucket: str, key: str) -> None:
    """Refuse a key that the real stores refuse."""
    _find(bucket)
    segments = key.split("/")
    too_long = len(key.encode()) > LONGEST_KEY or any(len(each.encode()) > LONGEST_SEGMENT for each in segments)
    if not key or ".." in segments or too_long:
        raise Refused("KeyTooLongError" if too_long else "InvalidArgument")
