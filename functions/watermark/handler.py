"""watermark: one image in, one marked image out.

message images.waiting    reads the original, runs the job's tasks, writes the result and records it
POST /?<options>          the image is the body, and the marked image is the answer
"""

from typing import Any

from countermark.http.calls import DONE, Event, is_message, message_data, path_parts
from countermark.http.edit import edit_body
from countermark.http.problems import NotFound, WrongMethod
from countermark.jobs.messages import IMAGES_WAITING
from countermark.services import services

from .process import process


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a message or a call."""
    if is_message(event, IMAGES_WAITING):
        data = message_data(event, job=str, number=int, revision=int)
        process(services(), data["job"], data["number"], data["revision"])
        return DONE
    match event.method, path_parts(event):
        case "POST", []:
            return edit_body(event, task="watermark")
        case _, []:
            raise WrongMethod("POST an image as the body, with the options in the query: ?text=%C2%A9%202026")
    raise NotFound
