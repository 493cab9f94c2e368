"""The message stream: the connection to it, and publishing."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

import nats
import structlog
from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from countermark.http.problems import Unavailable

log = structlog.get_logger()

SECONDS_TO_CONNECT = 2
SECONDS_BETWEEN_PINGS = 5
"""A server that is lost without a word is left after two pings without an answer; by default that takes minutes."""
SECONDS_TO_CONFIRM = 5.0
AT_ONCE = 256
"""Messages of a batch that are on their way at a time, so that each is confirmed well within its seconds."""
STILL_THERE = "maximum messages per subject exceeded"
"""What JetStream says of a message whose subject it has, waiting or being worked on; its code has other causes too."""


async def connect_stream(addresses: str, inboxes: bytes = b"_INBOX") -> Client:
    """Connect to one of the servers; when it is lost, the connection goes on with another, or with it when it is back.

    Args:
        addresses: ``nats://user:password@host:4222``, or several of them with commas in between.
        inboxes: the prefix of the subjects that answers come to.
    """
    return await nats.connect(
        addresses.split(","),
        inbox_prefix=inboxes,
        connect_timeout=SECONDS_TO_CONNECT,
        ping_interval=SECONDS_BETWEEN_PINGS,
        max_outstanding_pings=2,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.5,
        error_cb=_log_error,
    )


class Publisher:
    """Publishes messages from any thread, through one connection of this process.

    Connects on first use, reconnects by itself.
    """

    def __init__(self, addresses: str) -> None:
        self._addresses = addresses
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connecting: asyncio.Task[Client] | None = None

    def publish(self, subject: str, data: dict[str, Any]) -> None:
        """Publish one message.

        Raises:
            Unavailable: the stream did not confirm it; it may have it all the same.
        """
        self.publish_all([(subject, data)])

    def publish_all(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> list[bool]:
        """Publish messages, and wait once until the stream has stored them.

        Returns:
            for each message whether the stream has it, be it from before: a message that waits or is worked on is not
            stored a second time. One that is not confirmed may have been stored all the same.

        Raises:
            Unavailable: none of them was confirmed.
        """
        if not messages:
            return []
        confirmed: list[bool] = self._run(self._publish_all(messages))
        if not any(confirmed):
            raise Unavailable("The message stream does not answer.")
        return confirmed

    def close(self) -> None:
        """Leave the stream; the next message connects again."""
        if self._connecting is not None:
            self._run(self._close(self._connecting))

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="publisher", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _publish_all(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> list[bool]:
        try:
            client = await self._connected()
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("no connection to the stream", cause=str(error) or type(error).__name__)
            return [False] * len(messages)
        batch = _Batch(client.jetstream())
        confirmed = await asyncio.gather(*(batch.send(subject, data) for subject, data in messages))
        if batch.causes:
            log.warning("messages not confirmed", count=confirmed.count(False), causes=sorted(batch.causes))
        return list(confirmed)

    async def _connected(self) -> Client:
        task = self._connecting
        if task is None or (task.done() and (task.cancelled() or task.exception() or task.result().is_closed)):
            task = self._connecting = asyncio.ensure_future(connect_stream(self._addresses))
        return await asyncio.wait_for(asyncio.shield(task), SECONDS_TO_CONFIRM)  # it goes on for the next message

    async def _close(self, task: asyncio.Task[Client]) -> None:
        if task.done() and not task.cancelled() and not task.exception():
            await task.result().close()
        task.cancel()
        self._connecting = None


class _Batch:
    """Messages that are sent side by side."""

    def __init__(self, stream: JetStreamContext) -> None:
        self._stream = stream
        self._places = asyncio.Semaphore(AT_ONCE)
        self._away = False
        self.causes = set[str]()
        """Why messages were not confirmed."""

    async def send(self, subject: str, data: dict[str, Any]) -> bool:
        """Returns whether the stream has the message."""
        async with self._places:
            if self._away:
                return False  # the others have waited long enough for all
            try:
                await self._stream.publish(subject, json.dumps(data).encode(), timeout=SECONDS_TO_CONFIRM)
            except APIError as error:
                if error.description == STILL_THERE:
                    return True
                self.causes.add(str(error))
            except (TimeoutError, ConnectionClosedError, OSError) as error:
                self._away = True
                self.causes.add(str(error) or type(error).__name__)
            except NatsError as error:
                self.causes.add(str(error))
            else:
                return True
            return False


async def _log_error(error: Exception) -> None:
    log.warning("stream connection", error=str(error) or type(error).__name__)
