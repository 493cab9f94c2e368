"""Requests to an S3 store: signed, over connections that are kept open, and tried again when that may help."""

import os
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError

from countermark.servers.object_errors import Refused, away, is_of_the_moment, meaning_of
from countermark.servers.object_signing import Signer, object_url

TRIES = 3
"""How often a request is sent that meets an error of the moment."""
PAUSE = 1.0
"""Seconds before the second try, at most; twice as many before the next. The lot decides, lest all come at once."""
SECONDS_TO_CONNECT = 5.0
KEPT_CONNECTIONS = 32

CODE = re.compile(rb"<Code>([^<]+)</Code>")
ERROR_IN_SUCCESS = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error[\s>]")
"""A store that copies or joins for long has said 200 before it knows."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to the store."""

    operation: str
    """S3's name for it, for the log."""
    method: str
    bucket: str
    key: str | None = None
    """None: it concerns the bucket."""
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None


class Requests:
    """Sends requests to a store; safe to use from many threads, and in a forked child as well.

    Every method may raise:
        Unavailable, NoSuchObject, Replaced, Refused: as object_errors says.
    """

    def __init__(self, endpoint: str, signer: Signer, timeout: float) -> None:
        """Connects with the first request.

        Args:
            timeout: seconds without a byte of the answer after which a request has failed.
        """
        self._endpoint, self._signer = endpoint.rstrip("/"), signer
        self._origin = len(self._endpoint) - len(urlsplit(self._endpoint).path)
        self._timeout = urllib3.Timeout(connect=SECONDS_TO_CONNECT, read=timeout)
        self._connect()

    def _connect(self) -> None:
        self._process = os.getpid()
        self._connections = urllib3.connection_from_url(
            self._endpoint, timeout=self._timeout, maxsize=KEPT_CONNECTIONS, block=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def ask(self, request: Request) -> urllib3.BaseHTTPResponse:
        """The answer to a request, read to its end."""
        return self._send(request, whole=True)

    def open(self, request: Request) -> urllib3.BaseHTTPResponse:
        """The answer to a request, whose body is still to be read; whoever asks closes it."""
        return self._send(request, whole=False)

    def xml(self, request: Request) -> ElementTree.Element:
        """The document that answers a request; its names are without a namespace."""
        data = self.ask(request).data
        try:
            root = ElementTree.fromstring(data.strip())  # noqa: S314 -- the store's word, and expat's own bounds
        except ElementTree.ParseError as error:
            raise away(request.operation, "BrokenDocument") from error
        for each in root.iter():
            each.tag = each.tag.rpartition("}")[2]
        return root

    def _send(self, request: Request, *, whole: bool) -> urllib3.BaseHTTPResponse:
        if request.key == "":  # what is asked of no object must not be done to the bucket
            raise Refused("InvalidParameter")
        url = object_url(self._endpoint, request.bucket, request.key)
        if request.query is not None:
            url += "?" + urlencode(request.query, quote_via=quote, safe="")
        pauses = [PAUSE * 2**number for number in range(TRIES - 1)]
        reconnected = False
        while True:
            try:
                answer = self._send_once(request, url, whole=whole)
            except HTTPError as error:
                if isinstance(error, ProtocolError) and not reconnected:
                    reconnected = True  # a store may close a kept connection just when it is used: that is no failure
                    continue
                if not pauses:
                    raise away(request.operation, type(error).__name__) from error
            else:
                if not (code := _code(answer, whole=whole)):
                    return answer
                # What is a success in the head, and an error in the body, is one of the store's own.
                status = answer.status if answer.status >= 300 else 500
                if not (pauses and is_of_the_moment(code, status)):
                    raise meaning_of(request.operation, code, status)
            time.sleep(random.uniform(0, pauses.pop(0)))  # noqa: S311 -- no secret

    def _send_once(self, request: Request, url: str, *, whole: bool) -> urllib3.BaseHTTPResponse:
        if self._process != os.getpid():  # the connections are the parent's
            self._connect()
        answer = self._connections.urlopen(
            request.method,
            url[self._origin :],
            request.body,
            self._signer.headers(request.method, url, request.headers or {}),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        if whole or answer.status >= 300:
            answer.read(cache_content=True)
        return answer


def _code(answer: urllib3.BaseHTTPResponse, *, whole: bool) -> str:
    """The store's word for what went wrong, or the bare status if it has none, as with HEAD; empty: nothing did."""
    if answer.status < 300 and not (whole and ERROR_IN_SUCCESS.match(answer.data)):
        return ""
    found = CODE.search(answer.data)
    return found[1].decode(errors="replace").strip() if found else str(answer.status)


def header(answer: urllib3.BaseHTTPResponse, name: str) -> str:
    """What an answer says in a header that every store sends.

    Raises:
        Unavailable: nothing, so that is no store.
    """
    value = answer.headers.get(name)
    if value is None:
        raise away(f"header {name}", "Missing")
    return value
