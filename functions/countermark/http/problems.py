"""What can be wrong with a request, as the caller is told (RFC 9457, problem+json).

Problem                 400 bad_request
├── BadOptions          422 invalid_options   with the fields
├── TooLarge            413 too_large
├── TooMany             413 too_many_files
├── NotAnImage          415 or 422, with the engine's own code
├── NotFound            404 not_found
├── Expired             410 job_expired
├── WrongMethod         405 wrong_method
├── TooSlow             408 too_slow          the body came too slowly, or not at all
├── WrongMediaType      415 wrong_media_type  a message of the stream in another form than one CloudEvent in JSON
├── TooManyUploads      429 too_many_uploads  at once, from one address
├── Unexpected          500 unexpected        an error of ours; the log has it
├── Interrupted         500 interrupted       the process that decoded the image ended early
└── Unavailable         503 unavailable       try again: the stream, the store or the database is away
"""

import json
from typing import Any

from flask import Response


class Problem(Exception):
    """The request can't be understood."""

    status = 400
    code = "bad_request"
    title = "Bad request"

    def __init__(self, detail: str = "", *, code: str = "", **members: Any) -> None:
        self.detail = detail or (self.__doc__ or "").split("\n")[0]
        self.code = code or type(self).code
        self.members = members
        super().__init__(self.detail)

    def response(self) -> Response:
        """The answer that tells the caller."""
        document = {
            "type": f"urn:countermark:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.members,
        }
        headers = {"Retry-After": "2"} if self.status in {Unavailable.status, TooManyUploads.status} else {}
        return Response(json.dumps(document), self.status, headers, content_type="application/problem+json")


class BadOptions(Problem):
    """The options are wrong."""

    status, code, title = 422, "invalid_options", "Invalid options"


class TooLarge(Problem):
    """The request is too large."""

    status, code, title = 413, "too_large", "Too large"


class TooMany(Problem):
    """There are too many files."""

    status, code, title = 413, "too_many_files", "Too many files"


class NotAnImage(Problem):
    """The image can't be processed."""

    status, code, title = 422, "bad_image", "The image can't be processed"


class NotFound(Problem):
    """There is nothing here. Check the link: it is long and must be complete."""

    status, code, title = 404, "not_found", "Not found"


class Expired(Problem):
    """The job's time is over, or it was deleted; its files are gone. Upload the images again to get new copies."""

    status, code, title = 410, "job_expired", "Expired"


class WrongMethod(Problem):
    """This address does not support that method."""

    status, code, title = 405, "wrong_method", "Method not allowed"


class TooSlow(Problem):
    """The upload came too slowly. Try again on a better connection."""

    status, code, title = 408, "too_slow", "Too slow"


class TooManyUploads(Problem):
    """There are too many uploads from your address at once. Try again when one of them has ended."""

    status, code, title = 429, "too_many_uploads", "Too many uploads"


class WrongMediaType(Problem):
    """A message is one CloudEvent in JSON; batches and other formats are not taken."""

    status, code, title = 415, "wrong_media_type", "Wrong media type"


class Unexpected(Problem):
    """Something went wrong on our side."""

    status, code, title = 500, "unexpected", "Something went wrong"


class Interrupted(Problem):
    """The work on this image was interrupted. Try again; an image with which it happens again and again is broken."""

    status, code, title = 500, "interrupted", "Interrupted"


class Unavailable(Problem):
    """The service is temporarily unavailable. Try again in a moment."""

    status, code, title = 503, "unavailable", "Try again in a moment"
