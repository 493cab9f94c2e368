"""Serves one function over HTTP: Flask on waitress, one process, the same on every platform.

    python index.py                     by itself: on one machine, and behind Knative's queue-proxy
    python index.py --behind-watchdog   as the child of OpenFaaS's of-watchdog

Environment:
    FUNCTION_DIR    the folder with handler.py (default: function, beside this file)
    FUNCTION_NAME   for logs and metrics; on OpenFaaS OPENFAAS_NAME says it, on Knative K_SERVICE
    PORT            default 5000; BIND is the address, default 127.0.0.1
    max_inflight    requests that are worked on at the same time (default 4)
    max_body_bytes  bytes in one request (default 100 MiB)

``/_/health`` answers while the process lives, ``/_/ready`` while it takes requests, ``/metrics`` for Prometheus. On
SIGTERM it stops accepting, finishes what is in flight, and leaves; behind the watchdog that is the watchdog's part.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import structlog
import waitress

HERE = Path(__file__).resolve().parent
BEHIND_WATCHDOG = "--behind-watchdog"
NAMES = ("FUNCTION_NAME", "OPENFAAS_NAME", "K_SERVICE")
MAX_BODY_BYTES = 100 * 1024 * 1024

log = structlog.get_logger()


def make_server(name: str, leaving: Any) -> Any:
    """The server around the handler, listening already.

    Raises:
        SystemExit: a setting is missing or wrong, or there is no handler.
    """
    from countermark.settings import InvalidSettings, settings
    from serving.application import load_handler, make_app

    try:
        handler = load_handler(Path(os.environ.get("FUNCTION_DIR", HERE / "function")).resolve())
        if "countermark.services" in sys.modules:  # it works with the servers, so it must know where they are
            settings()
    except InvalidSettings as error:
        raise SystemExit(f"{name}: {error}") from None
    return waitress.create_server(
        make_app(handler.handle, name, leaving),
        host=os.environ.get("BIND", "127.0.0.1"),
        port=number("PORT", 5000),
        threads=number("max_inflight", 4),
        max_request_body_size=number("max_body_bytes", MAX_BODY_BYTES),
        channel_timeout=300,
        clear_untrusted_proxy_headers=False,
    )


def number(name: str, default: int) -> int:
    """A setting that is a whole number.

    Raises:
        SystemExit: it is not.
    """
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise SystemExit(f"{name} must be a whole number, and is {text!r}.")
    return int(text)


def main() -> None:
    """Serve until told to leave."""
    # In an image the library lies below the function, where stack.yml's configuration.copy puts it.
    sys.path[:0] = [str(folder) for folder in (HERE, HERE / "function" / "functions") if folder.is_dir()]
    from countermark.logs import configure_logs
    from serving.leaving import Leaving, end_with_parent

    configure_logs()
    name = next((os.environ[each] for each in NAMES if os.environ.get(each)), "function")
    leaving = Leaving()
    server = make_server(name, leaving)
    if BEHIND_WATCHDOG in sys.argv[1:]:
        end_with_parent()
        signal.signal(signal.SIGTERM, lambda _number, _frame: leaving.go_on())
    else:
        signal.signal(signal.SIGTERM, lambda _number, _frame: leaving.drain(server))
    log.info("serving", function=name, threads=server.adj.threads)
    server.run()


if __name__ == "__main__":
    main()
