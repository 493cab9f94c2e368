"""upload: takes images and options from a person or a program, and begins their job.

GET  /          the limits and the formats, so that a page can tell them before the upload
GET  /schema    the JSON Schema of the options
POST /          multipart/form-data: options, then ``files``; or JSON: a list of names and sizes, for presigned links
POST /<job>/close  what has not arrived by a presigned link will not come
POST /<job>/again  a new job from the same images, or from the failed ones, with other options
"""

from functools import partial
from typing import Any

from countermark import engine
from countermark.http.calls import Event, Receive, job_token, json_object, path_parts, prefers_html
from countermark.http.problems import NotFound, WrongMethod
from countermark.jobs.opening import NewJob
from countermark.services import Services, services
from countermark.settings import Settings
from flask import Response, jsonify

from .again import open_again
from .links import close_job, open_with_links
from .posted import receive_posted


def receiver(event: Event) -> Receive | None:
    """Images are stored while they come; any other body is small."""
    if event.method == "POST" and not path_parts(event) and not _is_json(event):
        return partial(receive_posted, services(), event)
    return None


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a call."""
    own = services()
    match event.method, path_parts(event):
        case (("GET" | "HEAD"), []):
            return jsonify(limits(own.settings))
        case (("GET" | "HEAD"), ["schema"]):
            return jsonify(engine.options_schema())
        case "POST", []:
            return accept(own, event)
        case "POST", [job, "close"]:
            return jsonify(close_job(own, job_token(job)))
        case "POST", [job, "again"]:
            return begun(event, open_again(own, job_token(job), event))
        case _, ([] | ["schema"] | [_, "close" | "again"]):
            raise WrongMethod
    raise NotFound


def limits(own: Settings) -> dict[str, Any]:
    """What an upload may have."""
    return {
        "limits": {
            "files": own.max_files,
            "file_bytes": own.max_file_bytes,
            "job_bytes": own.max_job_bytes,
            "pixels": own.max_pixels,
        },
        "formats": list(engine.FORMATS),
        "accept": [kind.media_type for kind in engine.FORMATS.values()],
        "lifetime_seconds": own.job_lifetime,
    }


def accept(own: Services, event: Event) -> Response:
    """Begin a job with the images that were in the body, or with those that it lists."""
    if event.received is not None:
        return begun(event, event.received)
    job, uploads = open_with_links(own, event, json_object(event.body))
    return begun(event, job, uploads=uploads)


def _is_json(event: Event) -> bool:
    return event.headers.get("Content-Type", "").startswith("application/json")


def begun(event: Event, job: NewJob, **more: Any) -> Response:
    """202 with the addresses of a job that has begun, or 303 to its page for a form without JavaScript."""
    page = f"/job/{job.token}"
    if prefers_html(event):
        return Response(status=303, headers={"Location": page})
    answer = jsonify({"job": job.token, "page": page, "status": f"/function/status/{job.token}", **more})
    answer.status_code = 202
    answer.headers["Location"] = page
    return answer
