"""Serves one function over HTTP: Flask on waitress, one process, the same on every platform.

Environment:
    FUNCTION_DIR   the folder with handler.py (default: function, beside this file)
    FUNCTION_NAME  for the logs
    PORT           default 5000; BIND is the address, default 127.0.0.1
    max_inflight   requests that are worked on at the same time (default 4)

``/_/health`` answers while the process lives, ``/_/ready`` while it takes requests, ``/metrics`` for Prometheus. On
SIGTERM it stops accepting, finishes what is in flight, and leaves.
"""

import importlib.util
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import IO, Any

import structlog
import waitress
from flask import Flask, Request, Response, request
from prometheus_client import Counter, Gauge, Histogram, generate_latest
from waitress import wasyncore

HERE = Path(__file__).resolve().parent
LOOK_SECONDS = 0.05
NEWCOMER_SECONDS = 0.3
"""For so long a connection may take to send its request, when the function is told to leave."""
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


class Event:
    """A request as a handler gets it; what OpenFaaS's python3-http template gives, and the body as a stream."""

    def __init__(self, incoming: Request) -> None:
        self._request = incoming
        self.headers = incoming.headers
        self.method = incoming.method
        self.query = incoming.args
        self.path = incoming.path

    @property
    def body(self) -> bytes:
        """The whole body in memory."""
        return self._request.get_data(cache=True)

    @property
    def stream(self) -> IO[bytes]:
        """The body as a file that is read once."""
        return self._request.stream


class Context:
    """Where the function runs."""

    def __init__(self) -> None:
        self.hostname = os.environ.get("HOSTNAME", "localhost")


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


def make_app(handle: Any, name: str) -> Flask:
    """The web application around a handler."""
    from countermark.problems import Problem, Unexpected

    app = Flask(__name__)
    app.url_map.strict_slashes = False

    @app.get("/_/health")
    @app.get("/_/ready")
    def health() -> Response:
        return Response("ok", content_type="text/plain")

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(), content_type="text/plain; version=0.0.4")

    @app.route("/", defaults={"path": ""}, methods=METHODS)
    @app.route("/<path:path>", methods=METHODS)
    def call(path: str) -> Any:  # noqa: ARG001 -- the handler reads it from the event
        kind = "message" if "ce-type" in request.headers else "call"
        started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(function=name)
        with IN_FLIGHT.labels(name).track_inprogress():
            try:
                response = app.make_response(to_response(handle(Event(request), Context())))
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


def drain(server: Any) -> None:
    """Stop accepting, wait until every answer is sent, and end the server's loop."""

    def busy() -> bool:
        now = time.time()
        return any(
            channel.requests
            or channel.request
            or channel.total_outbufs_len
            or now - channel.last_activity < NEWCOMER_SECONDS
            for channel in list(server.active_channels.values())
        )

    def leave() -> None:
        # In the loop's own thread: it must not wait for a socket that is closed under it.
        server.trigger.pull_trigger(partial(wasyncore.dispatcher.close, server))
        time.sleep(LOOK_SECONDS)
        while busy():
            time.sleep(LOOK_SECONDS)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=leave, daemon=True).start()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    sys.path[:0] = [str(folder) for folder in (HERE, HERE / "function" / "functions") if folder.is_dir()]
    from countermark.logs import configure_logs
    from countermark.settings import InvalidSettings

    configure_logs()
    name = os.environ.get("FUNCTION_NAME", "function")
    try:
        handler = load_handler(Path(os.environ.get("FUNCTION_DIR", HERE / "function")).resolve())
    except InvalidSettings as error:
        raise SystemExit(f"{name}: {error}") from None
    threads = int(os.environ.get("max_inflight", "4"))
    server = waitress.create_server(
        make_app(handler.handle, name),
        host=os.environ.get("BIND", "127.0.0.1"),
        port=int(os.environ.get("PORT", "5000")),
        threads=threads,
        max_request_body_size=int(os.environ.get("max_body_bytes", str(100 * 1024 * 1024))),
        channel_timeout=300,
        clear_untrusted_proxy_headers=False,
    )
    signal.signal(signal.SIGTERM, lambda _number, _frame: drain(server))
    log.info("serving", function=name, threads=threads)
    server.run()


if __name__ == "__main__":
    main()
