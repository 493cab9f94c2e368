"""The web application around a handler."""

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from countermark.http.problems import Problem, Unexpected
from flask import Flask, Response, request
from prometheus_client import Counter, Gauge, Histogram, generate_latest

from serving.leaving import Leaving
from serving.request import Context, read_event

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

REQUESTS = Counter("function_requests_total", "Requests answered", ["function", "kind", "status"])
SECONDS = Histogram(
    "function_request_seconds",
    "Time to answer",
    ["function", "kind"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
IN_FLIGHT = Gauge("function_requests_in_flight", "Requests being answered", ["function"])

log = structlog.get_logger()


def load_handler(folder: Path) -> Any:
    """Import ``handler.py`` of a folder as part of a package, so that it can import what lies beside it."""
    specification = importlib.util.spec_from_file_location(
        "function", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if specification is None or not (folder / "handler.py").is_file():
        raise SystemExit(f"There is no handler.py in {folder} (FUNCTION_DIR).")
    if (folder / "__init__.py").is_file():
        raise SystemExit(f"{folder} must not have an __init__.py: the platform makes it a package.")
    package = importlib.util.module_from_spec(specification)
    sys.modules["function"] = package
    return importlib.import_module("function.handler")


def to_response(answer: Any) -> Any:
    """A handler's answer for Flask: a dict with statusCode, body and headers, or anything that Flask takes."""
    if isinstance(answer, dict) and ("statusCode" in answer or "body" in answer):
        return Response(answer.get("body", b""), answer.get("statusCode", 200), answer.get("headers", {}))
    return answer


def make_app(handle: Any, name: str, leaving: Leaving) -> Flask:
    """The application: the handler at every path, and what platforms ask about a function."""
    app = Flask(__name__)
    app.url_map.strict_slashes = False

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
    def call(path: str) -> Any:  # noqa: ARG001 -- the handler reads it from the event
        kind = "call"
        started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(function=name)
        with IN_FLIGHT.labels(name).track_inprogress():
            try:
                event = read_event(request)
                kind = "message" if "ce-type" in event.headers else "call"
                response = app.make_response(to_response(handle(event, Context())))
            except Problem as problem:
                log.info("problem", code=problem.code, detail=problem.detail, status=problem.status)
                response = problem.response()
            except Exception:
                log.exception("unexpected error", path=request.path)
                response = Unexpected().response()
        SECONDS.labels(name, kind).observe(time.perf_counter() - started)
        REQUESTS.labels(name, kind, response.status_code).inc()
        return response

    return app
