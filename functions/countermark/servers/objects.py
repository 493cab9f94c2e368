"""The object store: any store that speaks S3."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, BinaryIO
from urllib.parse import quote

import boto3
import smart_open
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from countermark.http.problems import Unavailable

UPLOADS = "uploads"
"""The bucket of what people upload: ``posted/<job>/<number>`` through a function, ``direct/<job>/<number>`` by a
presigned link. Only what is below ``direct/`` is announced by a bucket notification."""
RESULTS = "results"
"""The bucket of what was made: ``<job>/<number>``, ``<job>.zip``, and below ``drop/`` the copies of the drop bucket."""
DROP = "drop"
"""The bucket that people drop files in: ``<folder>/<name>``."""

PART_BYTES = 8 * 1024 * 1024
"""Memory for one upload of unknown length; also the size of a part."""


class NoSuchObject(Exception):
    """The object is not there (any more)."""


class ObjectTooLarge(Exception):
    """The object is larger than the limit."""


@dataclass(frozen=True, kw_only=True)
class Object:
    """An object in a listing."""

    key: str
    etag: str
    bytes: int
    time: int
    """When it was stored, in seconds since 1970."""


class ObjectStore:
    """Reads and writes objects; safe to use from many threads.

    Every method raises ``Unavailable`` when the store does not answer.
    """

    def __init__(self, endpoint: str, *, access_key: str, secret_key: str, region: str) -> None:
        self._s3 = _client(endpoint, access_key, secret_key, region)
        self._credentials, self._region = Credentials(access_key, secret_key), region

    def close(self) -> None:
        """Close its connections."""
        self._s3.close()

    def read(self, bucket: str, key: str, *, limit: int) -> tuple[bytes, str]:
        """The object's bytes and its etag.

        Raises:
            NoSuchObject: it is not there.
            ObjectTooLarge: it has more than ``limit`` bytes; nothing was read.
        """
        with _store_errors():
            answer = self._s3.get_object(Bucket=bucket, Key=key)
            if answer["ContentLength"] > limit:
                answer["Body"].close()
                raise ObjectTooLarge(f"{answer['ContentLength']} bytes")
            return answer["Body"].read(), answer["ETag"].strip('"')

    def open(self, bucket: str, key: str) -> IO[bytes]:
        """The object as a stream; the caller closes it.

        Raises:
            NoSuchObject: it is not there.
        """
        with _store_errors():
            body: IO[bytes] = self._s3.get_object(Bucket=bucket, Key=key)["Body"]
            return body

    def write(self, bucket: str, key: str, data: bytes, media_type: str) -> None:
        """Store an object, whole or not at all."""
        with _store_errors():
            self._s3.put_object(Bucket=bucket, Key=key, Body=data, ContentType=media_type)

    def write_stream(self, bucket: str, key: str, stream: BinaryIO) -> None:
        """Store what a stream of unknown length yields, with the memory of two parts.

        A ``read`` of the stream may return less only at its end.
        """
        with _store_errors():
            head = stream.read(PART_BYTES)
            if len(head) < PART_BYTES:
                self._s3.put_object(Bucket=bucket, Key=key, Body=head)
                return
        with self.writer(bucket, key, "application/octet-stream") as file:
            file.write(head)
            shutil.copyfileobj(stream, file, 1024 * 1024)

    @contextmanager
    def writer(self, bucket: str, key: str, media_type: str, *, small: bool = False) -> Iterator[IO[bytes]]:
        """A file to write a new object through; the object appears when it is closed without an error.

        Args:
            small: it is kept in memory and sent in one request, not in parts of 8 MiB.
        """
        request = "put_object" if small else "create_multipart_upload"
        parameters = {
            "client": self._s3,
            "min_part_size": PART_BYTES,
            "multipart_upload": not small,
            "client_kwargs": {f"S3.Client.{request}": {"ContentType": media_type}},
        }
        with (
            _store_errors(),
            smart_open.open(f"s3://{bucket}/{key}", "wb", compression="disable", transport_params=parameters) as file,
        ):
            yield file

    def copy(self, bucket: str, key: str, to_bucket: str, to_key: str) -> None:
        """Copy an object inside the store.

        Raises:
            NoSuchObject: it is not there.
        """
        with _store_errors():
            self._s3.copy_object(CopySource={"Bucket": bucket, "Key": key}, Bucket=to_bucket, Key=to_key)

    def list(self, bucket: str, prefix: str = "") -> Iterator[Object]:
        """The objects whose key begins with a prefix."""
        with _store_errors():
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    yield Object(
                        key=item["Key"],
                        etag=item["ETag"].strip('"'),
                        bytes=item["Size"],
                        time=int(item["LastModified"].timestamp()),
                    )

    def exists(self, bucket: str, key: str) -> bool:
        """Whether the object is there."""
        try:
            with _store_errors():
                self._s3.head_object(Bucket=bucket, Key=key)
        except NoSuchObject:
            return False
        return True

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error."""
        keys = list(keys)
        for start in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[start : start + 1000]]
            with _store_errors():
                answer = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise Unavailable(f"The object store could not delete {len(answer['Errors'])} objects.")

    def link_to_get(self, address: str, bucket: str, key: str, *, seconds: int, name: str, inline: bool) -> str:
        """A link by which anyone can read the object for some time.

        Args:
            address: scheme and host by which the reader reaches the store.
            name: the file name under which a browser saves it.
        """
        disposition = f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}"
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


def _url(address: str, bucket: str, key: str) -> str:
    return f"{address}/{bucket}/{quote(key)}"


def _client(endpoint: str, access_key: str, secret_key: str, region: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path", "payload_signing_enabled": False},
            request_checksum_calculation="when_required",  # not every store knows the newer default
            response_checksum_validation="when_required",
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 4},
            max_pool_connections=32,
        ),
    )


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"NoSuchKey", "404", "NotFound"}:
            raise NoSuchObject(str(error)) from error
        raise Unavailable(f"The object store answered {code}.") from error
    except BotoCoreError as error:
        raise Unavailable("The object store does not answer.") from error
