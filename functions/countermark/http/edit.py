"""One image in the body of a request, and the edited image as the answer."""

from flask import Response

from countermark import engine
from countermark.http.calls import Event
from countermark.http.problems import BadOptions, NotAnImage, TooLarge
from countermark.settings import LimitSettings, limit_settings


def engine_limits(limits: LimitSettings) -> engine.Limits:
    """The engine's limits as they are set."""
    return engine.Limits(max_pixels=limits.max_pixels, max_bytes=limits.max_file_bytes, seconds=limits.max_seconds)


def edit_body(event: Event, task: str) -> Response:
    """The image in the body, edited as the query says.

    Args:
        task: the task when the query names none.

    Raises:
        BadOptions, TooLarge, NotAnImage: the query or the image can't be used.
    """
    fields = dict(event.query)
    if "tasks" not in fields and "preset" not in fields:
        fields.setdefault("task", task)
    try:
        options = engine.parse_options(fields)
    except engine.InvalidOptions as error:
        raise BadOptions(str(error), errors=error.errors) from error
    limits, source = limit_settings(), event.body
    if len(source) > limits.max_file_bytes:
        raise TooLarge(f"The image has {len(source)} bytes; at most {limits.max_file_bytes} are allowed.")
    try:
        edited = engine.process(source, options, limits=engine_limits(limits))
    except engine.ImageError as error:
        raise NotAnImage(str(error), code=error.code) from error
    headers = {"Countermark-Notes": ", ".join(edited.notes)} if edited.notes else {}
    return Response(edited.data, headers=headers, mimetype=edited.media_type)
