"""One image in the body of a request, and the edited image as the answer."""

from flask import Response

from countermark import engine
from countermark.http.calls import Event, owner_of
from countermark.http.cells import edited
from countermark.http.problems import BadOptions, NotAnImage, TooLarge
from countermark.settings import limit_settings


def edit_body(event: Event, task: str) -> Response:
    """The image in the body, edited as the query says.

    Args:
        task: the task when the query names none.

    Raises:
        BadOptions, TooLarge, NotAnImage: the query or the image can't be used.
        Unavailable, Interrupted: it could not be done now.
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
        answer = edited(source, options, limits, scope=owner_of(event))
    except engine.ImageError as error:
        raise NotAnImage(str(error), code=error.code) from error
    headers = {"Countermark-Notes": ", ".join(answer.notes)} if answer.notes else {}
    return Response(answer.data, headers=headers, mimetype=answer.media_type)
