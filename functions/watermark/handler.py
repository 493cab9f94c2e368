"""watermark: one image in, one marked image out.

For a message it reads the object, runs the job's tasks, writes the result and records it. For a caller the image is the
body, the options are the query, and the marked image is the answer.
"""

from typing import Any

import structlog
from countermark import engine
from countermark.calls import DONE, Event, message_data, message_subject, path_parts
from countermark.events import read_created
from countermark.problems import BadOptions, NotAnImage, NotFound, TooLarge, WrongMethod
from countermark.settings import settings
from flask import Response

from .process import engine_limits, process_object
from .small import small_picture

log = structlog.get_logger()


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a message or a call."""
    if message_subject(event):
        for created in read_created(message_data(event)):
            process_object(created)
        return DONE
    match event.method, path_parts(event):
        case "GET" | "HEAD", [job, "images", number, "small"]:
            return small_picture(event, job, number)
        case "POST", []:
            return mark(event)
        case _, []:
            raise WrongMethod("POST an image as the body, with the options in the query: ?text=%C2%A9%202026")
    raise NotFound


def mark(event: Event) -> Response:
    """The marked copy of the image in the body."""
    try:
        options = engine.parse_options(dict(event.query))
    except engine.InvalidOptions as error:
        raise BadOptions(str(error), errors=error.errors) from error
    if len(event.body) > settings().max_file_bytes:
        raise TooLarge(f"The image has {len(event.body)} bytes; at most {settings().max_file_bytes} are allowed.")
    try:
        edited = engine.process(event.body, options, limits=engine_limits(settings()))
    except engine.ImageError as error:
        raise NotAnImage(str(error), code=error.code) from error
    return Response(edited.data, mimetype=edited.media_type)
