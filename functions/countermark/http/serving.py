"""How a function is served, as its environment says it."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from countermark.settings import InvalidSettings

PORT = 5000
MAX_INFLIGHT = 4
MAX_INFLIGHT_PER_CALLER = 64
MAX_BODY_BYTES = 100 * 1024 * 1024
MAX_CONNECTIONS = 10_000
"""At a time. Slow callers take no thread, only a connection, so some hundreds of them must not take all."""
IDLE_SECONDS = 300
"""After which a connection that says nothing is closed."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How a function is served."""

    folder: Path
    """With its handler.py."""
    host: str
    port: int
    """0: any that is free."""
    max_inflight: int
    """Requests that are worked on at the same time; where bodies are taken as they come, bodies that are coming."""
    max_inflight_per_caller: int
    """Of these requests, bodies that one address sends while they are taken as they come."""
    max_body_bytes: int
    """Bytes in one request."""


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
        max_inflight_per_caller=number("max_inflight_per_caller", MAX_INFLIGHT_PER_CALLER),
        max_body_bytes=number("max_body_bytes", MAX_BODY_BYTES),
    )
    if wrong:
        raise InvalidSettings("; ".join(wrong))
    return serving


def connection_limit() -> int:
    """Connections at a time, after this process was allowed as many files as it may be.

    It is half of those files, for a request with a large body has one as well.
    """
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, files // 2)
