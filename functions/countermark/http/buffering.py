"""waitress around a function whose bodies are small: a request is handed over when its body has arrived whole.

So a slow caller takes no thread, and no handler can answer, or refuse, before the last byte.
"""

import threading
import time
from functools import partial
from typing import Any

import waitress
from flask import Flask
from waitress import wasyncore

from countermark.http.keeping import channel_class
from countermark.http.leaving import LOOK_SECONDS, NEWCOMER_SECONDS, Leaving
from countermark.http.serving import IDLE_SECONDS, Serving, connection_limit


class BufferingServer:
    """A server that listens already; countermark.http.leaving says what it can be told."""

    def __init__(self, app: Flask, serving: Serving, leaving: Leaving) -> None:
        self._leaving = leaving
        self._sockets: dict[int, Any] = {}
        self._ended = False
        self._server: Any = waitress.create_server(
            app,
            map=self._sockets,
            host=serving.host,
            port=serving.port,
            threads=serving.max_inflight,
            max_request_body_size=serving.max_body_bytes + 1,  # waitress refuses a body of just so many
            channel_timeout=IDLE_SECONDS,
            connection_limit=connection_limit(),
            asyncore_use_poll=True,  # select knows no file beyond the 1,024th
            clear_untrusted_proxy_headers=False,
        )
        self._server.channel_class = channel_class(leaving)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.effective_port)

    def run(self) -> None:
        """Serve until `drain` or `end` ends it, or Ctrl-C."""
        settings = self._server.adj
        try:
            while self._sockets and not self._ended:
                wasyncore.loop(settings.asyncore_loop_timeout, settings.asyncore_use_poll, self._sockets, count=1)
        except KeyboardInterrupt:
            pass
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets)

    def drain(self) -> None:
        """Stop accepting, wait until every answer is sent, and end the loop; this itself returns at once."""
        if not self._leaving.begun:
            self._leaving.begun = True
            threading.Thread(target=self._drain, daemon=True).start()

    def end(self) -> None:
        """End the loop, from any thread, whatever is in flight."""
        self._ended = True
        self._server.trigger.pull_trigger()

    def _drain(self) -> None:
        # In the loop's own thread: it must not wait for a socket that is closed under it.
        self._server.trigger.pull_trigger(partial(wasyncore.dispatcher.close, self._server))
        time.sleep(LOOK_SECONDS)
        while self._is_busy():
            time.sleep(LOOK_SECONDS)
        self.end()

    def _is_busy(self) -> bool:
        now = time.time()
        return any(
            channel.requests
            or channel.request
            or channel.total_outbufs_len
            or now - channel.last_activity < NEWCOMER_SECONDS
            for channel in list(self._server.active_channels.values())
        )
