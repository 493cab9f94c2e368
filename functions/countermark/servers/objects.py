"""The object store: any store that speaks S3."""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.handlers import add_expect_header

from countermark.servers.object_errors import (
    NO_KEY,
    OF_THE_CONNECTION,
    NoSuchObject,
    ObjectTooLarge,
    Refused,
    Replaced,
    away,
    code_of,
    is_among,
    log,
    meaning_of,
    told_apart,
)

__all__ = [
    "DROP",
    "RESULTS",
    "UPLOADS",
    "NoSuchObject",
    "Object",
    "ObjectStore",
    "ObjectTooLarge",
    "Refused",
    "Replaced",
]

UPLOADS = "uploads"
"""The bucket of what people upload: ``posted/<job>/<number>`` through a function, ``direct/<job>/<number>`` by a
presigned link. Only what is below ``direct/`` is announced by a bucket notification."""
RESULTS = "results"
"""The bucket of what was made: ``<job>/<number>``, ``<job>.zip``, and below ``drop/`` the copies of the drop bucket."""
DROP = "drop"
"""The bucket that people drop files in: ``<folder>/<name>``."""

SECONDS_TO_ANSWER = 30.0
TRIES = 3
"""How often a request is sent that meets an error of the moment; the waits between take a second or two."""

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
        self._s3 = _client(endpoint, access_key, secret_key, region, timeout)
        self._credentials, self._region = Credentials(access_key, secret_key), region

    def close(self) -> None:
        """Close its connections."""
        self._s3.close()

    def read(self, bucket: str, key: str, *, limit: int, etag: str | None = None) -> tuple[bytes, str]:
        """The object's bytes and its etag.

        Args:
            etag: the only version that will do.

        Raises:
            NoSuchObject: it is not there.
            ObjectTooLarge: it has more than ``limit`` bytes; nothing was read.
            Replaced: it is another version.
        """
        with told_apart("GetObject"):
            for last in (False, True):
                answer = self._get(bucket, key, etag)
                with closing(answer["Body"]) as body:
                    if answer["ContentLength"] > limit:
                        raise ObjectTooLarge(f"{answer['ContentLength']} bytes")
                    try:
                        return body.read(), _etag(answer)
                    except OF_THE_CONNECTION:  # it broke off, which the client's own tries do not cover
                        if last:
                            raise
        raise AssertionError  # not reached

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
        time = int(answer["LastModified"].timestamp())
        return Object(key=key, etag=_etag(answer), bytes=answer["ContentLength"], time=time)

    def chunks(self, bucket: str, key: str) -> Iterator[bytes]:
        """The object's bytes, a megabyte at a time. A connection that breaks off is taken up again where it was.

        The request is sent with the first chunk. Whoever does not read to the end closes the iterator.

        Raises:
            NoSuchObject: it is not there, or was deleted meanwhile.
            Replaced: it was replaced meanwhile.
        """
        done, size, etag, breaks = 0, -1, None, 0
        while done != size:
            with told_apart("GetObject"):
                answer = self._get(bucket, key, etag, done)
            if size < 0:
                size, etag = answer["ContentLength"], _etag(answer)
            elif answer["ContentLength"] != size - done:
                answer["Body"].close()
                raise away("GetObject", "RangeIgnored")
            with closing(answer["Body"]) as body:
                for chunk in _until_it_breaks(body):
                    done, breaks = done + len(chunk), 0
                    yield chunk
            if done != size:
                breaks += 1
                if breaks == TRIES:
                    raise away("GetObject", "BrokenOff")

    def write(self, bucket: str, key: str, data: bytes, media_type: str) -> str:
        """Store an object, whole or not at all, and return its etag."""
        with told_apart("PutObject"):
            return _etag(self._s3.put_object(Bucket=bucket, Key=key, Body=data, ContentType=media_type))

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
        with self._upload(bucket, key, media_type) as upload, ThreadPoolExecutor(1) as sender:
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
        source: dict[str, Any] = {"CopySource": {"Bucket": bucket, "Key": key}}
        if found["ContentLength"] > COPY_BYTES:
            source["CopySourceIfMatch"] = _quoted(_etag(found))
            return self._copy_in_parts(source, found["ContentLength"], to_bucket, to_key, found["ContentType"])
        if etag is not None:
            source["CopySourceIfMatch"] = _quoted(etag)
        with told_apart("CopyObject"):
            return _etag(self._s3.copy_object(Bucket=to_bucket, Key=to_key, **source)["CopyObjectResult"])

    def list(self, bucket: str, prefix: str = "") -> Iterator[Object]:
        """The objects whose key begins with a prefix, in the order of the store."""
        pages = iter(self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
        while True:
            with told_apart("ListObjectsV2"):
                page = next(pages, None)
            if page is None:
                return
            for item in page.get("Contents", []):
                yield Object(
                    key=item["Key"],
                    etag=_etag(item),
                    bytes=item["Size"],
                    time=int(item["LastModified"].timestamp()),
                )

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error.

        One that is refused keeps no other from being deleted: the error comes at the end.
        """
        every = [*keys]
        single = [key for key in every if NOT_IN_XML.search(key)]
        listed = [key for key in every if not NOT_IN_XML.search(key)]
        for start in range(0, len(listed), KEYS_A_DELETION):
            batch = listed[start : start + KEYS_A_DELETION]
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
            with told_apart("DeleteObject"):
                self._s3.delete_object(Bucket=bucket, Key=key, IfMatch=_quoted(etag))
        except (NoSuchObject, Replaced):
            return False
        return True

    def link_to_get(self, address: str, bucket: str, key: str, *, seconds: int, name: str, inline: bool) -> str:
        """A link by which anyone can read the object for some time.

        Args:
            address: scheme and host by which the reader reaches the store.
            name: the file name under which a browser saves it.
        """
        disposition = _disposition("inline" if inline else "attachment", name)
        request = AWSRequest("GET", _url(address, bucket, key), params={"response-content-disposition": disposition})
        return self._sign(request, seconds)

    def link_to_put(self, address: str, bucket: str, key: str, *, seconds: int, size: int) -> str:
        """A link by which anyone can store this object once or again for some time, with just ``size`` bytes."""
        request = AWSRequest("PUT", _url(address, bucket, key), headers={"Content-Length": str(size)})
        return self._sign(request, seconds)

    def _sign(self, request: Any, seconds: int) -> str:
        """Signature version 4 in the query, for the address in the request: a client would have to be made for each."""
        S3SigV4QueryAuth(self._credentials, "s3", self._region, expires=max(1, seconds)).add_auth(request)
        link: str = request.prepare().url
        return link

    def _get(self, bucket: str, key: str, etag: str | None, start: int = 0) -> Any:
        conditions = {"IfMatch": _quoted(etag)} if etag else {}
        if start:
            conditions["Range"] = f"bytes={start}-"
        return self._s3.get_object(Bucket=bucket, Key=key, **conditions)

    def _head(self, bucket: str, key: str) -> Any:
        with told_apart("HeadObject"):
            try:
                return self._s3.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if not code_of(error).startswith("4"):
                    raise
                # An answer to HEAD has no body; only GET says what is wrong: the object, the bucket or the key pair.
                self._get(bucket, key, None)["Body"].close()
                raise

    def _delete_batch(self, bucket: str, keys: Sequence[str]) -> None:
        objects = [{"Key": key} for key in keys]
        with told_apart("DeleteObjects"):
            answer = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        errors = [meaning_of("DeleteObjects", each.get("Code", ""), 400) for each in answer.get("Errors", [])]
        # What may succeed later comes first: the caller comes again for all of them.
        for error in sorted(errors, key=lambda each: isinstance(each, Refused)):
            if not isinstance(error, NoSuchObject):
                raise error

    def _delete_one(self, bucket: str, key: str) -> Refused | None:
        try:
            with told_apart("DeleteObject"):
                self._s3.delete_object(Bucket=bucket, Key=key)
        except NoSuchObject:
            pass
        except Refused as error:
            return None if is_among(error.code, NO_KEY) else error
        return None

    def _copy_in_parts(self, source: dict[str, Any], size: int, bucket: str, key: str, media_type: str) -> str:
        with self._upload(bucket, key, media_type) as upload:
            for start in range(0, size, COPY_BYTES):
                upload.copy(source, start, min(start + COPY_BYTES, size) - 1)
            return upload.complete()

    @contextmanager
    def _upload(self, bucket: str, key: str, media_type: str) -> Iterator["_Upload"]:
        """An upload in parts; what does not come to its end is aborted."""
        with told_apart("CreateMultipartUpload"):
            answer = self._s3.create_multipart_upload(Bucket=bucket, Key=key, ContentType=media_type)
        upload = _Upload(self._s3, {"Bucket": bucket, "Key": key, "UploadId": answer["UploadId"]})
        try:
            yield upload
        except BaseException:
            upload.abort()
            raise


class _Upload:
    """An upload in parts. Nothing of it can be seen before it is complete."""

    def __init__(self, s3: Any, names: dict[str, str]) -> None:
        self._s3, self._names = s3, names
        self._parts: list[dict[str, Any]] = []

    def send(self, data: bytes) -> None:
        with told_apart("UploadPart"):
            self._add(self._s3.upload_part(Body=data, PartNumber=len(self._parts) + 1, **self._names))

    def copy(self, source: dict[str, Any], first: int, last: int) -> None:
        """Copy the bytes from ``first`` to ``last``, inclusive."""
        with told_apart("UploadPartCopy"):
            answer = self._s3.upload_part_copy(
                CopySourceRange=f"bytes={first}-{last}", PartNumber=len(self._parts) + 1, **source, **self._names
            )
        self._add(answer["CopyPartResult"])

    def _add(self, answer: dict[str, Any]) -> None:
        self._parts.append({"PartNumber": len(self._parts) + 1, "ETag": answer["ETag"]})

    def complete(self) -> str:
        """Make the object of its parts, and return its etag."""
        with told_apart("CompleteMultipartUpload"):
            return _etag(self._s3.complete_multipart_upload(MultipartUpload={"Parts": self._parts}, **self._names))

    def abort(self) -> None:
        """Delete what was sent. If that fails, the bucket's lifecycle does so after a day."""
        try:
            self._s3.abort_multipart_upload(**self._names)
        except (ClientError, *OF_THE_CONNECTION) as error:
            log.warning("upload not aborted", error=type(error).__name__)


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


def _until_it_breaks(body: Any) -> Iterator[bytes]:
    try:
        while chunk := body.read(CHUNK_BYTES):
            yield chunk
    except OF_THE_CONNECTION as error:
        log.info("object broke off", error=type(error).__name__)


def _etag(answer: dict[str, Any]) -> str:
    etag: str = answer["ETag"].strip('"')
    return etag


def _quoted(etag: str) -> str:
    return f'"{etag}"'


def _url(address: str, bucket: str, key: str) -> str:
    return f"{address}/{bucket}/{quote(key)}"


def _disposition(kind: str, name: str) -> str:
    """The header that names a download (RFC 6266): in ASCII for what reads that alone, as curl does, and as it is."""
    plain = re.sub(r"[^ -~]|[\"\\%]", "_", name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _client(endpoint: str, access_key: str, secret_key: str, region: str, timeout: float) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=Config(
            signature_version="s3v4",
            # Bodies are not hashed for the signature.
            s3={"addressing_style": "path", "payload_signing_enabled": False},
            request_checksum_calculation="when_required",  # not every store knows the newer default
            response_checksum_validation="when_required",
            connect_timeout=5,
            read_timeout=timeout,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            max_pool_connections=32,
        ),
    )
    # Nor does a request wait to be told to go on: a store that refuses it says so all the same.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client
