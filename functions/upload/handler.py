"""upload: takes images and options from a person or a program, and begins their job.

GET  /          the limits and the formats, so that a page can tell them before the upload
GET  /schema    the JSON Schema of the options
POST /          multipart/form-data: options, then ``files``; or JSON: a list of names and sizes, for presigned links
POST /<job>/close  what has not arrived by a presigned link will not come
"""

from typing import Any

from countermark import engine
from countermark.calls import Event, job_id_of, json_object, path_parts, prefers_html
from countermark.problems import NotFound, WrongMethod
from countermark.services import services
from flask import Response, jsonify

from .direct import close_job, open_direct
from .posted import store_posted


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a call."""
    match event.method, path_parts(event):
        case (("GET" | "HEAD"), []):
            return jsonify(limits())
        case (("GET" | "HEAD"), ["schema"]):
            return jsonify(engine.options_schema())
        case "POST", []:
            return accept(event)
        case "POST", [job, "close"]:
            return jsonify(close_job(services(), job_id_of(job)))
        case _, ([] | ["schema"] | [_, "close"]):
            raise WrongMethod
    raise NotFound


def limits() -> dict[str, Any]:
    """What an upload may have."""
    own = services().settings
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


def accept(event: Event) -> Response:
    """Begin a job: 202 with its addresses, or 303 to its page for a form without JavaScript."""
    if event.headers.get("Content-Type", "").startswith("application/json"):
        job_id, uploads = open_direct(services(), event, json_object(event.body))
        more: dict[str, Any] = {"uploads": uploads}
    else:
        job_id, more = store_posted(services(), event), {}
    page = f"/job/{job_id}"
    if prefers_html(event):
        return Response(status=303, headers={"Location": page})
    answer = jsonify({"job": job_id, "page": page, "status": f"/function/status/{job_id}", **more})
    answer.status_code = 202
    answer.headers["Location"] = page
    return answer
