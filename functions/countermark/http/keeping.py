"""Connections that stay open between two requests, and how they end without losing one.

The gateway keeps a connection for a moment and sends the next request on it. It can't know that its other end is being
closed in that moment, and does not send a POST twice. So whoever leaves says so in his answers, and closes no
connection that the gateway may still use.
"""

from waitress.channel import HTTPChannel
from waitress.task import WSGITask

from countermark.http.leaving import Leaving


def channel_class(leaving: Leaving) -> type[HTTPChannel]:
    """What waitress makes of a connection."""

    class Task(WSGITask):  # type: ignore[misc]
        def build_response_header(self) -> bytes:
            if leaving.begun:
                self.request.headers["CONNECTION"] = "close"
            header: bytes = super().build_response_header()
            return header

        def set_close_on_finish(self) -> None:
            # waitress also closes after an answer that has no body, such as 204 and 304, for it has no length.
            asked = self.version == "1.0" or self.request.headers.get("CONNECTION", "").lower() == "close"
            if self.has_body or asked:
                super().set_close_on_finish()

    class Channel(HTTPChannel):  # type: ignore[misc]
        task_class = Task

    return Channel
