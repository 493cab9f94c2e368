"""Leaving without losing a request: what a function says once it is told to, and who else can tell it."""

import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

LOOK_SECONDS = 0.05
LOOK_FOR_PARENT_SECONDS = 0.5
KEPT_SECONDS = 0.5
"""How long the gateway keeps a connection that nobody uses."""
NEWCOMER_SECONDS = 2 * KEPT_SECONDS
"""For so long a connection may take to send its request, when the function is told to leave. One that
has been silent for longer is nobody's.
"""


class Leaving:
    """Whether the function has been told to leave, which it says at /_/ready."""

    def __init__(self) -> None:
        self.begun = False

    def go_on(self) -> None:
        """Answer whatever comes: the watchdog before this process has the signal too.

        It takes requests for a while yet, waits for the answers, and then ends. If this process ended first, it would
        cut them off.
        """
        self.begun = True


class Server(Protocol):
    """What serves a function. Nothing in it waits for a signal or sends one: a process that a shell has started in the
    background ignores SIGINT, and its loop must end all the same."""

    @property
    def port(self) -> int:
        """Where it listens, from the beginning."""

    def run(self) -> None:
        """Serve until `drain` or `end` ends it, or Ctrl-C."""

    def drain(self) -> None:
        """Stop accepting, wait until every answer is sent, and end; this itself returns at once."""

    def end(self) -> None:
        """End, from any thread, whatever is in flight."""


def when_parent_ends(act: Callable[[], None]) -> None:
    """Act when the process that started this one has ended."""
    parent = os.getppid()

    # The kernel's own signal (PR_SET_PDEATHSIG) comes when the parent's thread ends, which in Go may be any time.
    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_FOR_PARENT_SECONDS)
        act()

    threading.Thread(target=look, daemon=True).start()
