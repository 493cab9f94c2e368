"""The message stream, as an administrator sees it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from countermark.servers.stream import connect_stream
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from infra.connector.streams import COUNTERMARK, DEAD_LETTERS, NOTIFICATIONS

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
        """Publish a message; one that is still there is not stored a second time, which is an error here."""
        self.ask(lambda stream: stream.publish(subject, json.dumps(data).encode()))

    def sweep(self) -> None:
        """Let the sweep look now, and not in some seconds."""
        self.publish("reconcile.sweep", {})

    def lose(self, pattern: str) -> None:
        """Delete the messages whose subjects match, as if they had never come."""
        name = COUNTERMARK
        self.ask(lambda stream: stream.purge_stream(name, subject=pattern))

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
        """Wait until every message is done but those of schedules."""
        end = time.monotonic() + seconds
        while left := [subject for name in (COUNTERMARK, NOTIFICATIONS) for subject in self.subjects(name)]:
            assert time.monotonic() < end, left
            time.sleep(0.1)

    def subjects(self, name: str) -> dict[str, int]:
        """How many messages of each subject a stream has."""
        info = self.ask(lambda stream: stream.stream_info(name, subjects_filter=">"))
        return info.state.subjects or {}

    def dead_letter(self, subject: str, seconds: float = 20) -> tuple[bytes, str]:
        """Data and reason of the newest dead letter with this subject; waits until there is one."""
        end = time.monotonic() + seconds
        while True:
            try:
                message = self.ask(lambda stream: stream.get_last_msg(DEAD_LETTERS, f"dead.{subject}"))
            except NotFoundError:
                assert time.monotonic() < end, f"no dead letter for {subject}"
                time.sleep(0.1)
            else:
                return message.data or b"", json.loads((message.headers or {})["Countermark-Reason"])
