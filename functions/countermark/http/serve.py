"""Serves one function over HTTP: Flask on waitress, one process, the same on every platform.

    python index.py                     by itself: on one machine, and behind Knative's queue-proxy
    python index.py --behind-watchdog   as the child of OpenFaaS's of-watchdog

Environment:
    FUNCTION_DIR    the folder with handler.py (default: function, beside index.py)
    FUNCTION_NAME   for logs and metrics; on OpenFaaS OPENFAAS_NAME says it, on Knative K_SERVICE
    PORT            default 5000; BIND is the address, default 127.0.0.1
    max_inflight    requests that are worked on at the same time (default 4)
    max_body_bytes  bytes in one request (default 100 MiB)

A handler.py has ``handle(event, context)``, and may have ``render_problem(event, problem)``: the answer to a caller who
is to see a problem in another form than its document, or None.

``/_/health`` answers while the process lives, ``/_/ready`` while it takes requests, ``/metrics`` for Prometheus. On
SIGTERM it stops accepting, finishes what is in flight, and leaves; behind the watchdog that is the watchdog's part.

waitress hands a request over when its body has arrived whole; a large one is in a temporary file until then. So a slow
caller takes no thread, and no handler can answer, or refuse, before the last byte.
"""

import importlib
import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import structlog
import waitress
from flask import Flask

from countermark.http.application import make_app, no_page
from countermark.http.keeping import channel_class
from countermark.http.leaving import Leaving, when_parent_ends
from countermark.logs import configure_logs
from countermark.settings import InvalidSettings, settings

BEHIND_WATCHDOG = "--behind-watchdog"
NAMES = ("FUNCTION_NAME", "OPENFAAS_NAME", "K_SERVICE")
PORT = 5000
MAX_INFLIGHT = 4
MAX_BODY_BYTES = 100 * 1024 * 1024
MAX_CONNECTIONS = 10_000
"""At a time. Slow callers take no thread, only a connection, so some hundreds of them must not take all."""
IDLE_SECONDS = 300
"""After which a connection that says nothing is closed."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How a function is served."""

    folder: Path
    """With its handler.py."""
    host: str
    port: int
    """0: any that is free."""
    max_inflight: int
    """Requests that are worked on at the same time."""
    max_body_bytes: int
    """Bytes in one request."""


def serve(folder: Path) -> None:
    """Serve a handler until told to leave.

    Args:
        folder: with its handler.py, if FUNCTION_DIR does not name another.

    Raises:
        SystemExit: a setting is missing or wrong, or there is no handler; the message says in a line what.
    """
    configure_logs()
    name = function_name(os.environ)
    try:
        serving = read_serving(os.environ, folder)
        handler = load_handler(serving.folder)
    except InvalidSettings as error:
        raise SystemExit(f"{name}: {error}") from None
    leaving = Leaving()
    sockets: dict[int, Any] = {}
    render_problem = getattr(handler, "render_problem", no_page)
    app = make_app(handler.handle, name=name, leaving=leaving, render_problem=render_problem)
    server = make_server(app, serving, sockets)
    server.channel_class = channel_class(leaving)
    if BEHIND_WATCHDOG in sys.argv[1:]:
        when_parent_ends(lambda: leaving.end(server))
        signal.signal(signal.SIGTERM, lambda _number, _frame: leaving.go_on())
    else:
        signal.signal(signal.SIGTERM, lambda _number, _frame: leaving.drain(server))
    log.info("serving", function=name, threads=serving.max_inflight)
    leaving.run(server, sockets)


def function_name(environment: Mapping[str, str]) -> str:
    """The function's name, as the platform says it."""
    return next((environment[each] for each in NAMES if environment.get(each)), "function")


def read_serving(environment: Mapping[str, str], folder: Path) -> Serving:
    """How the environment says that a function is served.

    Args:
        folder: with the handler, if the environment does not name another.

    Raises:
        InvalidSettings: a number is wrong; all of them are named in one line.
    """
    wrong = []

    def number(name: str, default: int, *, least: int = 1) -> int:
        text = environment.get(name, str(default))
        if text.isdecimal() and int(text) >= least:
            return int(text)
        wrong.append(f"{name} must be a whole number, {least} or more, and is {text!r}")
        return default

    serving = Serving(
        folder=Path(environment.get("FUNCTION_DIR", folder)).resolve(),
        host=environment.get("BIND", "127.0.0.1"),
        port=number("PORT", PORT, least=0),
        max_inflight=number("max_inflight", MAX_INFLIGHT),
        max_body_bytes=number("max_body_bytes", MAX_BODY_BYTES),
    )
    if wrong:
        raise InvalidSettings("; ".join(wrong))
    return serving


def make_server(app: Flask, serving: Serving, sockets: dict[int, Any]) -> Any:
    """waitress around an application, listening already.

    Args:
        sockets: an empty map, which is to hold everything that the server reads from.
    """
    return waitress.create_server(
        app,
        map=sockets,
        host=serving.host,
        port=serving.port,
        threads=serving.max_inflight,
        max_request_body_size=serving.max_body_bytes + 1,  # waitress refuses a body of just so many
        channel_timeout=IDLE_SECONDS,
        connection_limit=connection_limit(),
        asyncore_use_poll=True,  # select knows no file beyond the 1,024th
        clear_untrusted_proxy_headers=False,
    )


def connection_limit() -> int:
    """Connections at a time, after this process was allowed as many files as it may be.

    It is half of those files, for a request with a large body has one as well.
    """
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, files // 2)


def load_handler(folder: Path) -> ModuleType:
    """Import ``handler.py`` of a folder as part of a package, so that it can import what lies beside it.

    Raises:
        InvalidSettings: there is no handler, or it works with the servers and a setting is missing or wrong.
    """
    if not (folder / "handler.py").is_file():
        raise InvalidSettings(f"There is no handler.py in {folder} (FUNCTION_DIR).")
    if (folder / "__init__.py").is_file():
        raise InvalidSettings(f"{folder} must not have an __init__.py: the platform makes it a package.")
    package = ModuleType("function")
    package.__path__ = [str(folder)]
    sys.modules["function"] = package
    handler = importlib.import_module("function.handler")
    if "countermark.services" in sys.modules:  # it works with the servers, so it must know where they are
        settings()
    return handler
