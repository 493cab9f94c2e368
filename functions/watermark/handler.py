"""watermark: one image in, one marked image out.

For a message it reads the object, runs the job's tasks, writes the result and records it. For a caller the image is the
body, the options are the query, and the marked image is the answer.
"""

from typing import Any

from countermark.http.calls import DONE, Event, message_data, message_kind, path_parts
from countermark.http.edit import edit_body
from countermark.http.problems import NotFound, WrongMethod
from countermark.servers.events import read_created

from .process import process_object
from .small import small_picture


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a message or a call."""
    if message_kind(event):
        for created in read_created(message_data(event)):
            process_object(created)
        return DONE
    match event.method, path_parts(event):
        case "GET" | "HEAD", [job, "images", number, "small"]:
            return small_picture(event, job, number)
        case "POST", []:
            return edit_body(event, task="watermark")
        case _, []:
            raise WrongMethod("POST an image as the body, with the options in the query: ?text=%C2%A9%202026")
    raise NotFound
