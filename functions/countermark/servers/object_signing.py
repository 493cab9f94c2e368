"""Signatures (version 4) for an S3 store, by botocore: in the headers of a request of ours, or in a link."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest


class _Keys(NamedTuple):
    """The key pair, as botocore reads it."""

    access_key: str
    secret_key: str
    token: None = None


class _Auth(S3SigV4Auth):  # type: ignore[misc] # botocore has no types
    """Bodies are not hashed for the signature, over HTTP as over HTTPS: a byte is read once, when it is sent."""

    def payload(self, _request: Any) -> str:
        return "UNSIGNED-PAYLOAD"


class Signer:
    """Signs with a key pair; safe to use from many threads."""

    def __init__(self, access_key: str, secret_key: str, region: str) -> None:
        self._keys, self._region = _Keys(access_key, secret_key), region
        self._auth = _Auth(self._keys, "s3", region)

    def headers(self, method: str, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request, with its signature; the host's is left to whoever sends it."""
        request = AWSRequest(method, url, headers=headers)
        self._auth.add_auth(request)
        return dict(request.headers.items())

    def link_to_get(self, url: str, seconds: int, disposition: str) -> str:
        """A link that reads an object, with this ``Content-Disposition`` in the answer."""
        return self._link(AWSRequest("GET", url, params={"response-content-disposition": disposition}), seconds)

    def link_to_put(self, url: str, seconds: int, size: int) -> str:
        """A link that stores an object of just so many bytes."""
        return self._link(AWSRequest("PUT", url, headers={"Content-Length": str(size)}), seconds)

    def _link(self, request: Any, seconds: int) -> str:
        S3SigV4QueryAuth(self._keys, "s3", self._region, expires=max(1, seconds)).add_auth(request)
        link: str = request.prepare().url
        return link


def object_url(address: str, bucket: str, key: str | None) -> str:
    """Where an object is, at a store's address; None: its bucket."""
    return f"{address}/{bucket}" if key is None else f"{address}/{bucket}/{quote(key)}"


def disposition(kind: str, name: str) -> str:
    """The header that names a download (RFC 6266): in ASCII for what reads that alone, as curl does, and as it is."""
    plain = re.sub(r"[^ -~]|[\"\\%]", "_", name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
