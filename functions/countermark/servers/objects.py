"""The object store: any store that speaks S3."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from html import escape
from typing import Protocol
from urllib.parse import quote, unquote_plus

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from countermark.servers.buckets import DROP, RESULTS, UPLOADS
from countermark.servers.object_errors import (
    NO_KEY,
    NoSuchObject,
    ObjectTooLarge,
    Refused,
    Replaced,
    away,
    is_among,
    log,
    meaning_of,
)
from countermark.servers.object_parts import begin_upload, text, upload_in_parts
from countermark.servers.object_requests import TRIES, Request, Requests, header
from countermark.servers.object_signing import Signer, disposition, object_url

__all__ = [
    "DROP",
    "RESULTS",
    "UPLOADS",
    "NoSuchObject",
    "Object",
    "ObjectStore",
    "ObjectTooLarge",
    "PartsUpload",
    "Refused",
    "Replaced",
]

SECONDS_TO_ANSWER = 30.0
MIB = 1024 * 1024
PART_BYTES = 8 * MIB
"""The size of a part of an upload; two of them are in memory at a time. 10,000 parts are allowed: 80 GB."""
COPY_BYTES = 64 * MIB
"""The most that the store copies in one request: it answers at the end only, and 5 GB would take too long for that."""
CHUNK_BYTES = MIB
KEYS_A_DELETION = 1000

NOT_IN_XML = re.compile("[\x00-\x1f\ufffe\uffff]")
"""What can be in a key, and not in the list of keys to delete; a carriage return would be read as another character."""


class Readable(Protocol):
    """Something to read from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most ``size``; none at the end."""


class PartsUpload(Protocol):
    """An object that is being stored in parts. Nothing of it can be seen before it is complete."""

    def send(self, data: bytes) -> None:
        """Send the next part."""

    def complete(self) -> str:
        """Make the object of its parts, and return its etag."""

    def abort(self) -> None:
        """Delete what was sent."""


@dataclass(frozen=True, kw_only=True)
class Object:
    """What the store knows of an object."""

    key: str
    etag: str
    bytes: int
    time: int
    """When it was stored, in seconds since 1970."""


class ObjectStore:
    """Reads and writes objects; safe to use from many threads.

    Every method may raise, beside what it names:
        Unavailable: the store is away, busy or full, or the settings for it are wrong. The cause is in the log.
        Refused: the store will never do this with this object.
    """

    def __init__(
        self, endpoint: str, *, access_key: str, secret_key: str, region: str, timeout: float = SECONDS_TO_ANSWER
    ) -> None:
        """Connects with the first request.

        Args:
            timeout: seconds without a byte of the answer after which a request has failed.
        """
        self._signer = Signer(access_key, secret_key, region)
        self._requests = Requests(endpoint, self._signer, timeout)

    def close(self) -> None:
        """Close its connections."""
        self._requests.close()

    def read(self, bucket: str, key: str, *, limit: int, etag: str | None = None) -> tuple[bytes, str]:
        """The object's bytes and its etag.

        Args:
            etag: the only version that will do.

        Raises:
            NoSuchObject: it is not there.
            ObjectTooLarge: it has more than ``limit`` bytes; nothing was read.
            Replaced: it is another version.
        """
        for _ in range(TRIES):
            with closing(self._get(bucket, key, etag)) as answer:
                if _size(answer) > limit:
                    raise ObjectTooLarge(f"{_size(answer)} bytes")
                try:
                    return answer.read(), _etag(answer)
                except HTTPError as error:
                    log.info("object broke off", error=type(error).__name__)
        raise away("GetObject", "BrokenOff")

    def stat(self, bucket: str, key: str) -> Object:
        """What the store knows of the object, also of one that only its sender can read.

        Raises:
            NoSuchObject: it is not there.
        """
        try:
            answer = self._head(bucket, key)
        except Refused:  # such as when its sender has encrypted it with a key of his own; a list has it all the same
            found = next((item for item in self.list(bucket, key) if item.key == key), None)
            if found is None:
                raise
            return found
        time = int(parsedate_to_datetime(header(answer, "Last-Modified")).timestamp())
        return Object(key=key, etag=_etag(answer), bytes=_size(answer), time=time)

    def chunks(self, bucket: str, key: str) -> Iterator[bytes]:
        """The object's bytes, a megabyte at a time. A connection that breaks off is taken up again where it was.

        The request is sent with the first chunk. Whoever does not read to the end closes the iterator.

        Raises:
            NoSuchObject: it is not there, or was deleted meanwhile.
            Replaced: it was replaced meanwhile.
        """
        done, size, etag, breaks = 0, -1, None, 0
        while done != size:
            with closing(self._get(bucket, key, etag, done)) as answer:
                if size < 0:
                    size, etag = _size(answer), _etag(answer)
                elif _size(answer) != size - done:
                    raise away("GetObject", "RangeIgnored")
                for chunk in _until_it_breaks(answer):
                    done, breaks = done + len(chunk), 0
                    yield chunk
            if done != size:
                breaks += 1
                if breaks == TRIES:
                    raise away("GetObject", "BrokenOff")

    def write(self, bucket: str, key: str, data: bytes, media_type: str) -> str:
        """Store an object, whole or not at all, and return its etag."""
        return _etag(self._ask("PutObject", "PUT", bucket, key, {"Content-Type": media_type}, body=data))

    def begin(self, bucket: str, key: str, media_type: str) -> PartsUpload:
        """Begin to store an object in parts, for whoever has its bytes piece by piece.

        Each part but the last has ``PART_BYTES``. Whoever does not complete the upload aborts it.
        """
        return begin_upload(self._requests, bucket, key, media_type)

    def write_stream(
        self, bucket: str, key: str, stream: Readable, media_type: str = "application/octet-stream"
    ) -> tuple[str, int]:
        """Store what a stream of unknown length yields, whole or not at all, with the memory of two parts.

        An exception of the stream's ``read`` comes out as it is, and nothing is stored. The key is one of our own:
        its parts between slashes have at most 255 bytes, else a store may answer with an error of its own at the end.

        Returns:
            The etag, and the number of bytes.
        """
        head = _next_part(stream)
        if len(head) < PART_BYTES:
            return self.write(bucket, key, head, media_type), len(head)
        with upload_in_parts(self._requests, bucket, key, media_type) as upload, ThreadPoolExecutor(1) as sender:
            # While a part is sent, the next one is read.
            size, part, sent = 0, head, None
            while part:
                size += len(part)
                before, sent = sent, sender.submit(upload.send, part)
                del part
                if before:
                    before.result()
                part = _next_part(stream)
            _finish(sent)
            return upload.complete(), size

    def copy(self, bucket: str, key: str, to_bucket: str, to_key: str, *, etag: str | None = None) -> str:
        """Copy an object of any size inside the store.

        Args:
            etag: the only version that will do.

        Returns:
            The etag of the copy. That of a large one differs from its source's.

        Raises:
            NoSuchObject: it is not there.
            Replaced: it is another version, or was replaced while it was copied in parts; then there is no copy.
        """
        found = self._head(bucket, key)
        if etag is not None and _etag(found) != etag:
            raise Replaced
        size, source = _size(found), {"x-amz-copy-source": f"{bucket}/{quote(key)}"}
        if size <= COPY_BYTES:
            if etag is not None:
                source["x-amz-copy-source-if-match"] = f'"{etag}"'
            copy = Request(operation="CopyObject", method="PUT", bucket=to_bucket, key=to_key, headers=source)
            return _plain(text(self._requests.xml(copy), "ETag"))
        source["x-amz-copy-source-if-match"] = header(found, "ETag")
        with upload_in_parts(self._requests, to_bucket, to_key, header(found, "Content-Type")) as upload:
            for start in range(0, size, COPY_BYTES):
                upload.copy(source, start, min(start + COPY_BYTES, size) - 1)
            return upload.complete()

    def list(self, bucket: str, prefix: str = "") -> Iterator[Object]:
        """The objects whose key begins with a prefix, in the order of the store."""
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        more = True
        while more:
            page = self._requests.xml(Request(operation="ListObjectsV2", method="GET", bucket=bucket, query=query))
            for item in page.iterfind("Contents"):
                yield Object(
                    key=unquote_plus(text(item, "Key")),
                    etag=_plain(text(item, "ETag")),
                    bytes=int(text(item, "Size")),
                    time=int(datetime.fromisoformat(text(item, "LastModified")).timestamp()),
                )
            if more := page.findtext("IsTruncated") == "true":
                query["continuation-token"] = text(page, "NextContinuationToken")

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error.

        One that is refused keeps no other from being deleted: the error comes at the end.
        """
        every = [*keys]
        single = [key for key in every if NOT_IN_XML.search(key)]
        listed = [key for key in every if not NOT_IN_XML.search(key)]
        for start in range(0, len(listed), KEYS_A_DELETION):
            batch = listed[start : start + KEYS_A_DELETION]
            if len(batch) == 1:  # a plain DELETE costs less
                single += batch
                continue
            try:
                self._delete_batch(bucket, batch)
            except Refused:
                single += batch  # one key of them may be what is refused
        refused = [error for key in single if (error := self._delete_one(bucket, key))]
        if refused:
            raise refused[0]

    def delete_if(self, bucket: str, key: str, etag: str, *, time: int | None = None) -> bool:
        """Delete an object if it is still that version; whether it was.

        A store that has conditional deletion decides both at once. One that has not gets a plain DELETE right after
        it was asked for the version: what is stored between these two requests, a millisecond or so, is deleted. So are
        the same bytes once more on any store: they are the same version.

        Args:
            time: when it was stored, if another time is another version, too.
        """
        try:
            found = self.stat(bucket, key)
            if found.etag != etag or time not in {None, found.time}:
                return False
            self._ask("DeleteObject", "DELETE", bucket, key, {"If-Match": f'"{etag}"'})
        except (NoSuchObject, Replaced):
            return False
        return True

    def link_to_get(self, address: str, bucket: str, key: str, *, seconds: int, name: str, inline: bool) -> str:
        """A link by which anyone can read the object for some time.

        Args:
            address: scheme and host by which the reader reaches the store.
            name: the file name under which a browser saves it.
        """
        kind = "inline" if inline else "attachment"
        return self._signer.link_to_get(object_url(address, bucket, key), seconds, disposition(kind, name))

    def link_to_put(self, address: str, bucket: str, key: str, *, seconds: int, size: int) -> str:
        """A link by which anyone can store this object once or again for some time, with just ``size`` bytes."""
        return self._signer.link_to_put(object_url(address, bucket, key), seconds, size)

    def _ask(
        self,
        operation: str,
        method: str,
        bucket: str,
        key: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
    ) -> BaseHTTPResponse:
        request = Request(operation=operation, method=method, bucket=bucket, key=key, headers=headers, body=body)
        return self._requests.ask(request)

    def _get(self, bucket: str, key: str, etag: str | None, start: int = 0) -> BaseHTTPResponse:
        headers = {"If-Match": f'"{etag}"'} if etag else {}
        if start:
            headers["Range"] = f"bytes={start}-"
        request = Request(operation="GetObject", method="GET", bucket=bucket, key=key, headers=headers)
        return self._requests.open(request)

    def _head(self, bucket: str, key: str) -> BaseHTTPResponse:
        try:
            return self._ask("HeadObject", "HEAD", bucket, key)
        except (NoSuchObject, Refused):
            # An answer to HEAD has no body; only GET says what is wrong: the object, the bucket or the key pair.
            self._get(bucket, key, None).close()
            raise

    def _delete_batch(self, bucket: str, keys: Sequence[str]) -> None:
        objects = "".join(f"<Object><Key>{escape(key, quote=False)}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        answer = self._requests.xml(
            Request(
                operation="DeleteObjects",
                method="POST",
                bucket=bucket,
                query={"delete": ""},
                headers={"Content-MD5": digest},
                body=body,
            )
        )
        codes = [each.findtext("Code", "") for each in answer.iterfind("Error")]
        errors = [meaning_of("DeleteObjects", code, 400) for code in codes]
        # What may succeed later comes first: the caller comes again for all of them.
        for error in sorted(errors, key=lambda each: isinstance(each, Refused)):
            if not isinstance(error, NoSuchObject):
                raise error

    def _delete_one(self, bucket: str, key: str) -> Refused | None:
        try:
            self._ask("DeleteObject", "DELETE", bucket, key)
        except NoSuchObject:
            pass
        except Refused as error:
            return None if is_among(error.code, NO_KEY) else error
        return None


def _next_part(stream: Readable) -> bytes:
    """A part of the full size, or what is left at the stream's end."""
    pieces, size = [], 0
    while size < PART_BYTES and (piece := stream.read(PART_BYTES - size)):
        pieces.append(piece)
        size += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _finish(sent: Future[None] | None) -> None:
    if sent:
        sent.result()


def _until_it_breaks(answer: BaseHTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := answer.read(CHUNK_BYTES):
            yield chunk
    except HTTPError as error:
        log.info("object broke off", error=type(error).__name__)


def _size(answer: BaseHTTPResponse) -> int:
    return int(header(answer, "Content-Length"))


def _etag(answer: BaseHTTPResponse) -> str:
    return _plain(header(answer, "ETag"))


def _plain(etag: str) -> str:
    return etag.strip('"')
