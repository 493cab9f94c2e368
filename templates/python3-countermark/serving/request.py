"""A request as a handler gets it: somebody's call, or a message as a CloudEvent 1.0 in either of HTTP's modes.

binary mode      the attributes are headers (ce-type: jobs.complete), the data is the body
structured mode  Content-Type: application/cloudevents+json, and attributes and data are one JSON object

Handlers see binary mode alone: a structured message is turned into it.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import io
import os
from collections.abc import Mapping
from typing import IO

from countermark.http.problems import Problem
from flask import Request
from werkzeug.datastructures import Headers

STRUCTURED = "application/cloudevents+json"
FAMILY = "application/cloudevents"
"""How the media types of structured messages and of batches begin."""


class WrongMediaType(Problem):
    """A message is one CloudEvent in JSON; batches and other formats are not taken."""

    status, code, title = 415, "wrong_media_type", "Wrong media type"


class Event:
    """What OpenFaaS's python3-http template gives to a handler, and the body as a stream."""

    def __init__(self, incoming: Request) -> None:
        self._request = incoming
        self.headers: Mapping[str, str] = incoming.headers
        self.method = incoming.method
        self.query = incoming.args
        self.path = incoming.path

    @property
    def body(self) -> bytes:
        """The whole body in memory."""
        return self._request.get_data(cache=True)

    @property
    def stream(self) -> IO[bytes]:
        """The body as a file that is read once."""
        return self._request.stream


class StructuredEvent(Event):
    """A message in structured mode, as it would have come in binary mode."""

    def __init__(self, incoming: Request) -> None:
        super().__init__(incoming)
        attributes, self._data = to_binary_mode(incoming.get_data())
        headers = Headers(incoming.headers)
        headers["Content-Type"] = "application/json"
        headers.update(attributes)
        self.headers = headers

    @property
    def body(self) -> bytes:
        """The message's data."""
        return self._data

    @property
    def stream(self) -> IO[bytes]:
        """The message's data as a file."""
        return io.BytesIO(self._data)


class Context:
    """Where the function runs."""

    def __init__(self) -> None:
        self.hostname = os.environ.get("HOSTNAME", "localhost")


def read_event(incoming: Request) -> Event:
    """The request as a handler gets it.

    Raises:
        Problem: it says that it is a message, and is not a well-formed one.
    """
    if incoming.mimetype == STRUCTURED:
        return StructuredEvent(incoming)
    if incoming.mimetype.startswith(FAMILY):
        raise WrongMediaType
    return Event(incoming)


def to_binary_mode(body: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body that say in binary mode what a body says in structured mode.

    Raises:
        Problem: it is no CloudEvent.
    """
    # Imported when the first message of this kind comes: most platforms send none.
    from cloudevents.core.bindings.http import HTTPMessage, from_structured_event, to_binary_event
    from cloudevents.core.exceptions import BaseCloudEventException

    try:
        message = to_binary_event(from_structured_event(HTTPMessage({"content-type": STRUCTURED}, body)))
    # The library takes for granted that the JSON is an object with texts in it.
    except (BaseCloudEventException, ValueError, TypeError, AttributeError) as error:
        raise Problem(f"This is not a CloudEvent in JSON: {error}.") from error
    return message.headers, message.body
