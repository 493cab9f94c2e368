"""A part of the platform: a process that the supervisor watches, and how one sees that it works."""

import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.folder import ROOT

SECONDS_TO_ANSWER = 2


@dataclass(frozen=True, kw_only=True)
class Part:
    """A process and its health."""

    name: str
    group: str
    """Groups start in the order of ``GROUPS`` and stop in the opposite order."""
    command: list[str]
    check: Callable[[], object]
    """Raises an error while the part does not work."""
    directory: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    """The system user that it runs as; None for the one who starts the platform."""
    starts_at_once: bool = True
    """False: started when all others work."""
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    """Time to stop in before it is killed."""


GROUPS = ("servers", "gateway", "functions", "connector")


def answers(url: str) -> Callable[[], None]:
    """A check that a URL is answered with success."""

    def check() -> None:
        urllib.request.urlopen(url, timeout=SECONDS_TO_ANSWER).close()  # noqa: S310 -- our own address

    return check
