"""Serving until told to leave, and leaving without losing a request: what SIGTERM does.

Nothing here waits for a signal or sends one: a process that a shell has started in the background ignores SIGINT, and
its loop must end all the same.
"""

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from waitress import wasyncore

LOOK_SECONDS = 0.05
LOOK_FOR_PARENT_SECONDS = 0.5
KEPT_SECONDS = 0.5
"""How long the gateway keeps a connection that nobody uses."""
NEWCOMER_SECONDS = 2 * KEPT_SECONDS
"""For so long a connection may take to send its request, when the function is told to leave. One that
has been silent for longer is nobody's.
"""


class Leaving:
    """A server's loop and its end, and whether the function has been told to leave, which it says at /_/ready."""

    def __init__(self) -> None:
        self.begun = False
        self._ended = False

    def run(self, server: Any, sockets: dict[int, Any]) -> None:
        """Serve until `drain` or `end` ends it, or Ctrl-C.

        Args:
            server: waitress's, listening already.
            sockets: the map that the server was made with; everything in it is closed at the end.
        """
        settings = server.adj
        try:
            while sockets and not self._ended:
                wasyncore.loop(settings.asyncore_loop_timeout, settings.asyncore_use_poll, sockets, count=1)
        except KeyboardInterrupt:
            pass
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)

    def drain(self, server: Any) -> None:
        """Stop accepting, wait until every answer is sent, and end the loop; this itself returns at once."""
        if not self.begun:
            self.begun = True
            threading.Thread(target=self._drain, args=(server,), daemon=True).start()

    def go_on(self) -> None:
        """Answer whatever comes: the watchdog before this process has the signal too.

        It takes requests for a while yet, waits for the answers, and then ends. If this process ended first, it would
        cut them off.
        """
        self.begun = True

    def end(self, server: Any) -> None:
        """End the loop, from any thread, whatever is in flight."""
        self._ended = True
        server.trigger.pull_trigger()

    def _drain(self, server: Any) -> None:
        # In the loop's own thread: it must not wait for a socket that is closed under it.
        server.trigger.pull_trigger(partial(wasyncore.dispatcher.close, server))
        time.sleep(LOOK_SECONDS)
        while _is_busy(server):
            time.sleep(LOOK_SECONDS)
        self.end(server)


def when_parent_ends(act: Callable[[], None]) -> None:
    """Act when the process that started this one has ended."""
    parent = os.getppid()

    # The kernel's own signal (PR_SET_PDEATHSIG) comes when the parent's thread ends, which in Go may be any time.
    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_FOR_PARENT_SECONDS)
        act()

    threading.Thread(target=look, daemon=True).start()


def _is_busy(server: Any) -> bool:
    now = time.time()
    return any(
        channel.requests
        or channel.request
        or channel.total_outbufs_len
        or now - channel.last_activity < NEWCOMER_SECONDS
        for channel in list(server.active_channels.values())
    )
