"""A request as a handler gets it: somebody's call, or a message as a CloudEvent 1.0 in either of HTTP's modes.

binary mode      the attributes are headers (ce-type: jobs.complete), the data is the body
structured mode  Content-Type: application/cloudevents+json, and attributes and data are one JSON object

Handlers see binary mode alone: a structured message is turned into it.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import io
import os
from dataclasses import dataclass, field

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request

from countermark.http.calls import Event
from countermark.http.problems import Problem, WrongMediaType

STRUCTURED = "application/cloudevents+json"
RECEIVED = "countermark.received"
"""In the environment of a request whose body was taken while it came: what came of that (a future)."""
BEGAN = "countermark.began"
"""In the environment of such a request: when it began, by ``time.perf_counter``."""
FAMILY = "application/cloudevents"
"""How the media types of structured messages and of batches begin."""


@dataclass(frozen=True)
class Context:
    """Where the function runs."""

    hostname: str = field(default_factory=lambda: os.environ.get("HOSTNAME", "localhost"))


def read_event(incoming: Request) -> Event:
    """The request as a handler gets it.

    Raises:
        WrongMediaType: it is a batch of messages, or a message in another format than JSON.
        Problem: it says that it is a message, and is not a well-formed one.
        Exception: what the receiver of its body raised.
    """
    received = incoming.environ[RECEIVED].result() if RECEIVED in incoming.environ else None
    headers, stream = incoming.headers, incoming.stream
    if incoming.mimetype == STRUCTURED:
        attributes, data = to_binary_mode(stream.read())
        headers, stream = Headers(headers), io.BytesIO(data)
        headers["Content-Type"] = "application/json"
        headers.update(attributes)
    elif incoming.mimetype.startswith(FAMILY):
        raise WrongMediaType
    return Event(
        method=incoming.method,
        path=incoming.path,
        query=incoming.args,
        headers=headers,
        stream=stream,
        received=received,
    )


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
    except (BaseCloudEventException, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Problem(f"This is not a CloudEvent in JSON: {error}.") from error
    return message.headers, message.body
