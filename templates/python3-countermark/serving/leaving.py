"""Leaving without losing a request: what SIGTERM does."""

import os
import signal
import threading
import time
from functools import partial
from typing import Any

from waitress import wasyncore

LOOK_SECONDS = 0.05
LOOK_FOR_PARENT_SECONDS = 0.5
NEWCOMER_SECONDS = 0.3
"""For so long a connection may take to send its request, when the function is told to leave."""


class Leaving:
    """Whether the function has been told to leave; it says so at /_/ready."""

    def __init__(self) -> None:
        self.begun = False

    def drain(self, server: Any) -> None:
        """Stop accepting, wait until every answer is sent, and end the server's loop."""
        self.begun = True
        threading.Thread(target=_drain, args=(server,), daemon=True).start()

    def go_on(self) -> None:
        """Answer whatever comes: the watchdog before this process has the signal too.

        It takes requests for a while yet, waits for the answers, and then ends. If this process ended first, it would
        cut them off.
        """
        self.begun = True


def end_with_parent() -> None:
    """End when the process that started this one has ended."""
    parent = os.getppid()

    # The kernel's own signal (PR_SET_PDEATHSIG) comes when the parent's thread ends, which in Go may be any time.
    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_FOR_PARENT_SECONDS)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=look, daemon=True).start()


def _drain(server: Any) -> None:
    # In the loop's own thread: it must not wait for a socket that is closed under it.
    server.trigger.pull_trigger(partial(wasyncore.dispatcher.close, server))
    time.sleep(LOOK_SECONDS)
    while _is_busy(server):
        time.sleep(LOOK_SECONDS)
    signal.raise_signal(signal.SIGINT)


def _is_busy(server: Any) -> bool:
    now = time.time()
    return any(
        channel.requests
        or channel.request
        or channel.total_outbufs_len
        or now - channel.last_activity < NEWCOMER_SECONDS
        for channel in list(server.active_channels.values())
    )
