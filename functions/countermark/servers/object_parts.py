"""An object that goes into the store in parts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from xml.etree.ElementTree import Element

from countermark.http.problems import Unavailable
from countermark.servers.object_errors import NoSuchObject, Refused, Replaced, away, log
from countermark.servers.object_requests import Request, Requests, header


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An upload in parts. Nothing of it can be seen before it is complete.

    Every method may raise what Requests does.
    """

    requests: Requests
    bucket: str
    key: str
    id: str
    parts: list[str]
    """The etags of those that are there."""

    def send(self, data: bytes) -> None:
        """Send the next part."""
        answer = self.requests.ask(self._request("UploadPart", "PUT", self._next(), body=data))
        self.parts.append(header(answer, "ETag"))

    def copy(self, source: Mapping[str, str], first: int, last: int) -> None:
        """Let the next part be the bytes from ``first`` to ``last``, inclusive, of another object.

        Args:
            source: the headers that name it.
        """
        headers = {**source, "x-amz-copy-source-range": f"bytes={first}-{last}"}
        answer = self.requests.xml(self._request("UploadPartCopy", "PUT", self._next(), headers=headers))
        self.parts.append(text(answer, "ETag"))

    def complete(self) -> str:
        """Make the object of its parts, and return its etag."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
            for number, etag in enumerate(self.parts, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = self.requests.xml(self._request("CompleteMultipartUpload", "POST", {}, body=body))
        return text(answer, "ETag").strip('"')

    def abort(self) -> None:
        """Delete what was sent. If that fails, the bucket's lifecycle does so after a day."""
        try:
            self.requests.ask(self._request("AbortMultipartUpload", "DELETE", {}))
        except (Unavailable, NoSuchObject, Replaced, Refused) as error:
            log.warning("upload not aborted", error=str(error))

    def _next(self) -> dict[str, str]:
        return {"partNumber": str(len(self.parts) + 1)}

    def _request(
        self,
        operation: str,
        method: str,
        query: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Request:
        return Request(
            operation=operation,
            method=method,
            bucket=self.bucket,
            key=self.key,
            query={**query, "uploadId": self.id},
            headers=headers,
            body=body,
        )


def begin_upload(requests: Requests, bucket: str, key: str, media_type: str) -> Upload:
    """An upload in parts; whoever does not bring it to its end aborts it."""
    answer = requests.xml(
        Request(
            operation="CreateMultipartUpload",
            method="POST",
            bucket=bucket,
            key=key,
            query={"uploads": ""},
            headers={"Content-Type": media_type},
        )
    )
    return Upload(requests=requests, bucket=bucket, key=key, id=text(answer, "UploadId"), parts=[])


@contextmanager
def upload_in_parts(requests: Requests, bucket: str, key: str, media_type: str) -> Iterator[Upload]:
    """An upload in parts; what does not come to its end is aborted."""
    upload = begin_upload(requests, bucket, key, media_type)
    try:
        yield upload
    except BaseException:
        upload.abort()
        raise


def text(element: Element, name: str) -> str:
    """What a document says of ``name``.

    Raises:
        Unavailable: nothing.
    """
    found = element.findtext(name)
    if found is None:
        raise away(element.tag, f"{name} missing")
    return found
