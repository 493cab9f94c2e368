"""status: the waiting page of a job, its JSON, and the links to what was made.

GET /<job>                      the page for a browser, JSON for a program (cheap to ask again: ETag, 304)
GET /<job>/archive              a presigned link to the ZIP
GET /<job>/images/<n>           a presigned link to one marked image
GET /<job>/images/<n>/original  a presigned link to what it was made from
"""

from typing import Any

from countermark.http.calls import Event, job_token, path_parts, prefers_html
from countermark.http.problems import NotFound, Problem, WrongMethod
from countermark.jobs.reading import ALL, first_images, job_images, see_job
from countermark.jobs.rows import Image
from countermark.jobs.states import ImageState
from countermark.services import Services, services
from flask import Response, json

from . import pages
from .document import status_document, status_etag
from .links import archive_link, image_link, original_link

SECRET = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
"""Who has a job's address has its files: it is not passed on."""


LISTS = ("all", "failed", "none")
"""Which images the JSON lists."""


def handle(event: Event, context: Any) -> Response:  # noqa: ARG001 -- the platform's signature
    """The answer to a request for a job or for what was made of it."""
    if event.method not in {"GET", "HEAD"}:
        raise WrongMethod
    own = services()
    match path_parts(event):
        case [part]:
            return show(own, event, job_token(part))
        case [part, "archive"]:
            return redirect(archive_link(own, event, job_token(part)))
        case [part, "images", number]:
            return redirect(image_link(own, event, job_token(part), number))
        case [part, "images", number, "original"]:
            return redirect(original_link(own, event, job_token(part), number))
    raise NotFound


def render_problem(event: Event, problem: Problem) -> Response | None:
    """The page of a problem, for a browser."""
    if not prefers_html(event):
        return None
    text = pages.render_problem(problem.status, problem.code, problem.title, problem.detail, language_of(event))
    return page(text, problem.status)


def show(own: Services, event: Event, token: str) -> Response:
    """The job as a page or as JSON."""
    which, first = asked(event)
    if prefers_html(event):
        job = see_job(own, token)
        document = status_document(job, first_images(own, job.id, pages.SHOWN_IMAGES))
        return page(pages.render_job(document, language_of(event)), 200)
    job = see_job(own, token)
    etag = status_etag(job, which, first)
    if event.headers.get("If-None-Match") == etag:
        return Response(status=304, headers=cached(etag))
    text = json.dumps(status_document(job, listed(own, job.id, which, first)))
    return Response(text, 200, cached(etag), content_type="application/json")


def cached(etag: str) -> dict[str, str]:
    """The headers of a document that is kept, and asked for again with its ETag."""
    return {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept", **SECRET}


def asked(event: Event) -> tuple[str, int]:
    """Which images the caller wants to be listed, and up to which number.

    Raises:
        Problem: there is no such choice.
    """
    which, first = event.query.get("images", "all"), event.query.get("first", str(ALL))
    if which not in LISTS:
        raise Problem(f"images must be one of {', '.join(LISTS)}.")
    if not (first.isascii() and first.isdecimal()):
        raise Problem("first must be a number: images up to it are listed.")
    return which, min(int(first[:10]), ALL)


def listed(own: Services, job_id: str, which: str, first: int) -> list[Image]:
    """The images that the document lists."""
    if which == "none":
        return []
    return job_images(own, job_id, ImageState.FAILED if which == "failed" else "", first)


def page(text: str, status: int) -> Response:
    """A page that nobody keeps."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": pages.CONTENT_SECURITY_POLICY,
        "Vary": "Accept, Accept-Language, Cookie",
        **SECRET,
    }
    return Response(text, status, headers, content_type="text/html; charset=utf-8")


def redirect(link: str) -> Response:
    """Send the caller on to the object store."""
    return Response(status=302, headers={"Location": link, "Cache-Control": "no-store", **SECRET})


def language_of(event: Event) -> str:
    """The language that the caller reads."""
    return pages.choose_language(
        event.query.get("language"), event.headers.get("Cookie"), event.headers.get("Accept-Language")
    )
