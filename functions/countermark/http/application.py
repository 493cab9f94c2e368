"""The web application around a handler."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask, Response, request
from prometheus_client import Counter, Gauge, Histogram, generate_latest
from werkzeug.exceptions import MethodNotAllowed

from countermark.http.calls import Event, message_kind
from countermark.http.leaving import Leaving
from countermark.http.problems import Problem, Unexpected, WrongMethod
from countermark.http.request import BEGAN, Context, read_event

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

REQUESTS = Counter("function_requests_total", "Requests answered", ["function", "kind", "status"])
SECONDS = Histogram(
    "function_request_seconds",
    "Time to answer",
    ["function", "kind"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
IN_FLIGHT = Gauge("function_requests_in_flight", "Requests being answered", ["function"])

Handle = Callable[[Event, Context], Any]
RenderProblem = Callable[[Event, Problem], Response | None]

log = structlog.get_logger()


def no_page(_event: Event, _problem: Problem) -> Response | None:
    """What a handler without a page for problems renders: nothing, so that its callers get the problem document."""
    return None


def make_app(handle: Handle, *, name: str, leaving: Leaving, render_problem: RenderProblem = no_page) -> Flask:
    """The application: the handler at every path, and what platforms ask about a function.

    Args:
        handle: answers a request; an exception that it raises is answered with its problem.
        name: the function's, in metrics.
        render_problem: the answer to a caller who is to see a problem in another form than its document, or None.
    """
    app = Flask("countermark", static_folder=None)
    app.url_map.strict_slashes = False
    context = Context()

    @app.get("/_/health")
    def health() -> Response:
        return Response("ok", content_type="text/plain")

    @app.get("/_/ready")
    def ready() -> Response:
        if leaving.begun:
            return Response("leaving", 503, content_type="text/plain")
        return Response("ok", content_type="text/plain")

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(), content_type="text/plain; version=0.0.4")

    @app.route("/", defaults={"path": ""}, methods=METHODS)
    @app.route("/<path:path>", methods=METHODS)
    def call(path: str) -> Response:  # noqa: ARG001 -- the handler reads it from the event
        started = request.environ.get(BEGAN) or time.perf_counter()
        structlog.contextvars.clear_contextvars()
        event = None
        with IN_FLIGHT.labels(name).track_inprogress():
            try:
                event = read_event(request)
                response = app.make_response(to_response(handle(event, context)))
            except Exception as error:
                response = answer_error(error, event, render_problem)
        kind = "message" if event and message_kind(event) else "call"
        SECONDS.labels(name, kind).observe(time.perf_counter() - started)
        REQUESTS.labels(name, kind, response.status_code).inc()
        return response

    @app.errorhandler(MethodNotAllowed)
    def refuse(_error: MethodNotAllowed) -> Response:
        return answer_error(WrongMethod(), None, render_problem)

    return app


def to_response(answer: Any) -> Any:
    """A handler's answer for Flask: a dict with statusCode, body and headers, or anything that Flask takes."""
    if isinstance(answer, dict) and ("statusCode" in answer or "body" in answer):
        return Response(answer.get("body", b""), answer.get("statusCode", 200), answer.get("headers", {}))
    return answer


def answer_error(error: Exception, event: Event | None, render_problem: RenderProblem) -> Response:
    """The answer to a request that ended with an exception: the only place where one becomes an answer.

    Args:
        event: None when the request could not be read.
    """
    problem = to_problem(error)
    try:
        page = render_problem(event, problem) if event else None
    except Exception:
        log.exception("a problem could not be rendered", code=problem.code)
        page = None
    return problem.response() if page is None else page


def to_problem(error: Exception) -> Problem:
    """What the caller is told of an exception; one that is no problem is an error of ours, and goes to the log."""
    if isinstance(error, Problem):
        log.info("problem", code=error.code, detail=error.detail, status=error.status)
        return error
    log.error("unexpected error", path=request.path, exc_info=error)
    return Unexpected()
