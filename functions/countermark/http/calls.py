"""A request as a handler gets it, and what is read from one: a message, who calls and how, what is accepted."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import IO, Any

from werkzeug.datastructures import Headers, MIMEAccept
from werkzeug.http import parse_accept_header

from countermark.http.problems import NotFound, Problem, Unavailable
from countermark.jobs.messages import VERSION
from countermark.settings import settings

DONE = {"statusCode": 204, "body": b""}
"""The answer to a message; it has no body, which some deliverers would take for an event."""


CALLER_HEADER = "Countermark-Caller"
NETWORK_BITS = 64
"""Of an IPv6 address: what one household or host has at least."""


Receive = Callable[[AsyncIterator[bytes]], Coroutine[Any, Any, Any]]
"""Takes a body while it comes."""


@dataclass(kw_only=True)
class Event:
    """What OpenFaaS's python3-http template gives to a handler, and the body as a stream."""

    method: str
    path: str
    """Below the function's own."""
    query: Mapping[str, str]
    headers: Headers
    stream: IO[bytes]
    """The body as a file that is read once. The server has the whole of it before the handler is called, on disk if it
    is large: reading it piece by piece saves memory, not time."""
    received: Any = None
    """What the handler's ``receiver`` has made of the body while it came, in place of the body."""

    @cached_property
    def body(self) -> bytes:
        """The whole body in memory, or what is left of the stream."""
        return self.stream.read()


def message_kind(event: Event) -> str | None:
    """The kind of a message from the stream, such as ``images.waiting``: the first two parts of its subject, which are
    the CloudEvent's type. None when a person or a program calls.
    """
    return event.headers.get("ce-type") or None


def is_message(event: Event, kind: str) -> bool:
    """Whether the request is a message of this kind, and not a person or a program calling.

    Raises:
        Problem: it is a message of another kind, which this function does not take.
    """
    its = message_kind(event)
    if its not in {None, kind}:
        raise Problem(f"This function takes messages of the kind {kind}, and this one is {its}.")
    return its is not None


def message_data(event: Event, **kinds: type) -> dict[str, Any]:
    """The data of a message of ours.

    Args:
        kinds: the members that it must have, with their types.

    Raises:
        Problem: it is no JSON object, or a member is missing or of another type.
        Unavailable: it is of a newer version than this replica; a newer one will take it.
    """
    data = json_object(event.body)
    for name, kind in {"version": int, **kinds}.items():
        if type(data.get(name)) is not kind:
            raise Problem(f"The message has no {name}, or it is no {kind.__name__}.")
    if data["version"] > VERSION:
        raise Unavailable("The message is of a newer version.")
    return data


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        Problem: it is none.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(f"The body is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise Problem("The body must be a JSON object.")
    return data


def public_address(event: Event) -> str:
    """Scheme and host by which the caller reached the platform, or what PUBLIC_URL says."""
    if settings().public_url:
        return settings().public_url.rstrip("/")
    scheme = event.headers.get("X-Forwarded-Proto", "http").split(",")[0].strip()
    host = event.headers.get("X-Forwarded-Host") or event.headers.get("Host", "localhost")
    return f"{scheme}://{host.split(',')[0].strip()}"


def owner_of(event: Event) -> str:
    """Whose share of the line a caller uses: ``address:192.0.2.7``, of IPv6 the network, ``address:2001:db8::/64``.

    The gateway says the caller's address in a header of its own, whatever the caller has sent there. Callers whose
    address nobody knows share ``address:unknown``.
    """
    try:
        address = ip_address(event.headers.get(CALLER_HEADER, "").strip())
    except ValueError:
        return "address:unknown"
    if isinstance(address, IPv6Address):
        # An IPv4 caller of a socket that takes both.
        return f"address:{address.ipv4_mapped or IPv6Network((int(address), NETWORK_BITS), strict=False)}"
    return f"address:{address}"


def prefers_html(event: Event) -> bool:
    """Whether the caller is a browser that shows a page."""
    accepted = parse_accept_header(event.headers.get("Accept", ""), MIMEAccept)
    return accepted.best_match(["application/json", "text/html"], default="application/json") == "text/html"


def path_parts(event: Event) -> list[str]:
    """The parts of the path below the function's own."""
    return [part for part in event.path.split("/") if part]


def job_token(part: str) -> str:
    """A part of a path as what opens a job.

    Raises:
        NotFound: it can't be one.
    """
    if len(part) != 32 or not set(part) <= set("0123456789abcdef"):
        raise NotFound
    return part
