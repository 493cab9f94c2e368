"""A process of the platform: what it runs, what it may read, and how one sees that it works."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.project import ROOT

GROUPS = ("servers", "gateway", "functions", "connector")
"""They start in this order and stop in the opposite one."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that a process reads, written before it starts."""

    path: Path
    text: str
    mode: int = 0o600
    """As secrets are in most of them, only the owner reads it."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that the supervisor watches, and its health."""

    name: str
    group: str
    """One of ``GROUPS``."""
    command: list[str]
    environment: dict[str, str]
    """All of it."""
    check: Callable[[], object]
    """Raises an error while the process does not work."""
    health: Callable[[], object] | None = None
    """Raises an error while a new start may help; None: it ends by itself when it can't go on."""
    files: tuple[File, ...] = ()
    folders: tuple[Path, ...] = ()
    """Made before it starts, for it alone."""
    synced_folders: tuple[Path, ...] = ()
    """The same, of a program that does not sync what it writes: here every write returns when it is on the disk."""
    directory: Path = ROOT
    user: str | None = None
    """The system user that it runs as; None for the one who starts the platform."""
    starts_at_once: bool = True
    """False: started when all others work."""
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    """Time to stop in before it is killed."""
