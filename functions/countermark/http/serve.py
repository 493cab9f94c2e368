"""Serves one function over HTTP, one process, the same on every platform.

    python index.py                     by itself: on one machine, and behind Knative's queue-proxy
    python index.py --behind-watchdog   as the child of OpenFaaS's of-watchdog

Environment:
    FUNCTION_DIR    the folder with handler.py (default: function, beside index.py)
    FUNCTION_NAME   for logs and metrics; on OpenFaaS OPENFAAS_NAME says it, on Knative K_SERVICE
    PORT            default 5000; BIND is the address, default 127.0.0.1
    max_inflight    requests that are worked on at the same time (default 4); of a function with a receiver, bodies that
                    are coming, of which one address has at most max_inflight_per_caller
    max_body_bytes  bytes in one request (default 100 MiB)

A handler.py has ``handle(event, context)``, and may have

    render_problem(event, problem)  the answer to a caller who is to see a problem in another form than its document,
                                    or None
    receiver(event)                 what takes the body of this request while it comes, or None: ``handle`` gets what
                                    came of it as ``event.received``

A function with a receiver is served by aiohttp (countermark.http.streaming), any other by waitress, which hands over a
request with its whole body (countermark.http.buffering).

``/_/health`` answers while the process lives, ``/_/ready`` while it takes requests, ``/metrics`` for Prometheus. On
SIGTERM it stops accepting, finishes what is in flight, and leaves; behind the watchdog that is the watchdog's part.
"""

import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import structlog

from countermark.http.application import make_app, no_page
from countermark.http.leaving import Leaving, Server, when_parent_ends
from countermark.http.serving import Serving, read_serving
from countermark.logs import configure_logs
from countermark.settings import InvalidSettings, settings

BEHIND_WATCHDOG = "--behind-watchdog"
READY = ".lock"
"""The file by which of-watchdog knows, with suppress_lock, that the function listens; in the temporary folder."""
NAMES = ("FUNCTION_NAME", "OPENFAAS_NAME", "K_SERVICE")

log = structlog.get_logger()


def serve(folder: Path) -> None:
    """Serve a handler until told to leave.

    Args:
        folder: with its handler.py, if FUNCTION_DIR does not name another.

    Raises:
        SystemExit: a setting is missing or wrong, or there is no handler; the message says in a line what.
    """
    name = function_name(os.environ)
    configure_logs(function=name)
    try:
        serving = read_serving(os.environ, folder)
        handler = load_handler(serving.folder)
    except InvalidSettings as error:
        raise SystemExit(f"{name}: {error}") from None
    leaving = Leaving()
    server = make_server(handler, name, serving, leaving)
    if BEHIND_WATCHDOG in sys.argv[1:]:
        ready = Path(tempfile.gettempdir()) / READY

        def leave() -> None:
            ready.unlink(missing_ok=True)
            leaving.go_on()

        when_parent_ends(server.end)
        signal.signal(signal.SIGTERM, lambda _number, _frame: leave())
        ready.touch()
    else:
        signal.signal(signal.SIGTERM, lambda _number, _frame: server.drain())
    log.info("serving", at_once=serving.max_inflight)
    server.run()


def function_name(environment: Mapping[str, str]) -> str:
    """The function's name, as the platform says it."""
    return next((environment[each] for each in NAMES if environment.get(each)), "function")


def make_server(handler: ModuleType, name: str, serving: Serving, leaving: Leaving) -> Server:
    """The server around a handler, listening already.

    Args:
        name: the function's, in metrics.
    """
    render_problem = getattr(handler, "render_problem", no_page)
    app = make_app(handler.handle, name=name, leaving=leaving, render_problem=render_problem)
    # Each is imported where it serves: the other one would only take memory.
    if receiver := getattr(handler, "receiver", None):
        from countermark.http.streaming import StreamingServer

        return StreamingServer(app, receiver, serving, leaving)
    from countermark.http.buffering import BufferingServer

    return BufferingServer(app, serving, leaving)


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
