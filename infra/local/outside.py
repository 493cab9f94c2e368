"""Servers that run elsewhere: what must be given with their addresses, and that they are there."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from infra.errors import PlatformError
from infra.local.checks import SECONDS_TO_ANSWER

PORTS = {"NATS_URL": 4222, "DATABASE_URL": 5432}


def require_what_is_given(environ: Mapping[str, str]) -> None:
    """Make sure that servers elsewhere are there, and that a store comes with its keys; ours are waited for.

    Raises:
        PlatformError: one is not there, or a key is missing.
    """
    if environ.get("S3_ENDPOINT"):
        missing = [name for name in ("S3_ACCESS_KEY", "S3_SECRET_KEY") if not environ.get(name)]
        if missing:
            raise PlatformError(f"S3_ENDPOINT is given, so {' and '.join(missing)} must be given as well.")
    for name, port in PORTS.items():
        if url := environ.get(name):
            _require_reachable(name, url, port)


def _require_reachable(name: str, url: str, port: int) -> None:
    urls = url.split(",") if name == "NATS_URL" else [url]
    places = [(parts.hostname or "", parts.port or port) for parts in map(urlsplit, urls)]
    refusals = [refusal for place in places if (refusal := _refusal(*place))]
    if len(refusals) == len(places):
        raise PlatformError(f"{name}: {'; '.join(refusals)}.")


def _refusal(host: str, port: int) -> str:
    """Why nothing can be asked at an address; empty when somebody listens."""
    try:
        socket.create_connection((host, port), timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        return f"nothing answers at {host}, port {port}: {error}"
    return ""
