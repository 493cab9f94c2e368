"""preview: small pictures for people who look at a page. It has copies of its own, so that nobody waits for bulk work.

GET /<job>/images/<n>/small   a job's image made small
POST /?<options>              one image, marked, for the preview of the upload page
"""

from typing import Any

from countermark.http.calls import Event, path_parts
from countermark.http.edit import edit_body
from countermark.http.problems import NotFound, WrongMethod
from countermark.services import services

from .small import small_picture


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a call."""
    match event.method, path_parts(event):
        case "GET" | "HEAD", [job, "images", number, "small"]:
            return small_picture(services(), event, job, number)
        case "POST", []:
            return edit_body(event, task="watermark")
        case _, ([] | [_, "images", _, "small"]):
            raise WrongMethod
    raise NotFound
