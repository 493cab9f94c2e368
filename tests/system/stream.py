"""The message stream, as an administrator sees it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from countermark.servers.stream import connect_stream
from nats.js import JetStreamContext

from infra.connector.streams import DEAD_LETTERS, STREAM

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Stream:
    """A connection for each question; questions are few."""

    url: str

    def ask(self, question: Callable[[JetStreamContext], Awaitable[Answer]]) -> Answer:
        """Run a coroutine with the stream."""

        async def run() -> Answer:
            client = await connect_stream(self.url)
            try:
                return await question(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(run())

    def publish(self, subject: str, data: dict[str, Any]) -> None:
        """Publish a message without an id, so that nothing takes it for a copy."""
        self.ask(lambda stream: stream.publish(subject, json.dumps(data).encode()))

    def hear(self, subject: str, cause: Callable[[], object], seconds: float = 5) -> dict[str, Any]:
        """What is published to a subject because of something that the caller does; it stays in the stream."""

        async def run() -> bytes:
            client = await connect_stream(self.url)
            try:
                heard = await client.subscribe(subject)
                await client.flush()
                await asyncio.to_thread(cause)
                return (await heard.next_msg(timeout=seconds)).data
            finally:
                await client.close()

        message: dict[str, Any] = json.loads(asyncio.run(run()))
        return message

    def wait_until_quiet(self, seconds: float = 20) -> None:
        """Wait until every message but the scheduled ones is done."""
        end = time.monotonic() + seconds
        while any(not subject.startswith("schedules.") for subject in self._subjects()):
            assert time.monotonic() < end, self._subjects()
            time.sleep(0.1)

    def _subjects(self) -> dict[str, int]:
        info = self.ask(lambda stream: stream.stream_info(STREAM, subjects_filter=">"))
        return info.state.subjects or {}

    def next_dead_letter(self, seconds: float = 20) -> tuple[str, bytes, str]:
        """Subject, data and reason of the newest dead letter; waits for one if there is none."""
        end = time.monotonic() + seconds
        while not (last := self.ask(lambda stream: stream.stream_info(DEAD_LETTERS)).state.last_seq):
            assert time.monotonic() < end
            time.sleep(0.1)
        message = self.ask(lambda stream: stream.get_msg(DEAD_LETTERS, last))
        return str(message.subject), message.data or b"", json.loads((message.headers or {})["Countermark-Reason"])
