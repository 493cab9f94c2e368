"""Keeps in the stream's server what the flow stands on: a server may lose its files, and somebody may delete a stream.

Nothing is lost with it for long, for messages are hints: the sweep sends again what the rows ask for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from infra.connector import streams
from infra.connector.metrics import LAG, MADE
from infra.connector.settings import ConnectorSettings
from infra.connector.stack import Schedule, Subscription

log = structlog.get_logger()

SECONDS_BETWEEN_LOOKS = 10.0
SECONDS_BETWEEN_TRIES = 1.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stream, a consumer or a schedule."""

    name: str
    is_there: Callable[[], Awaitable[bool]]
    make: Callable[[], Awaitable[None]]
    """Makes it, or brings it up to date."""


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """Looks every few seconds, and when told that something is missing."""

    client: Client
    stream: JetStreamContext
    settings: ConnectorSettings
    subscriptions: list[Subscription]
    schedules: list[Schedule]
    stopping: asyncio.Event
    missing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by who sees that something is gone."""

    async def start(self) -> None:
        """Bring everything up to date; returns when it is so, or when told to stop."""
        while not self.stopping.is_set() and not await self._visit(self._make):
            await _wait(SECONDS_BETWEEN_TRIES, self.stopping)

    async def run(self) -> None:
        """Make what is missing, until told to stop; or tell to stop, when the connection is gone for good."""
        while not self.stopping.is_set():
            await _wait(SECONDS_BETWEEN_TRIES, self.stopping)  # however often it is told
            await _wait(SECONDS_BETWEEN_LOOKS, self.stopping, self.missing)
            self.missing.clear()
            if self.client.is_closed:
                # The server has ended it with an error of the protocol, and the client makes no new one.
                log.error("the connection to the stream was closed", cause=str(self.client.last_error))
                self.stopping.set()
            elif self.client.is_connected and not self.stopping.is_set():
                await self._visit(self._make_if_missing)

    async def measure(self) -> None:
        """Read how many messages wait for each function; what can't be read stays as it was."""
        if self.client.is_connected:
            await asyncio.gather(*map(self._measure, self.subscriptions), return_exceptions=True)

    def _parts(self) -> list[Part]:
        """In the order in which they stand on each other."""
        stream = self.stream
        return [
            *(
                Part(
                    name=name,
                    is_there=partial(streams.is_there, partial(stream.stream_info, name)),
                    make=partial(streams.update_stream, stream, config),
                )
                for name, config in streams.stream_configs(self.settings).items()
            ),
            *(
                Part(
                    name=each.function,
                    is_there=partial(streams.is_there, partial(self._measure, each)),
                    make=partial(streams.update_consumer, stream, each, self.settings),
                )
                for each in self.subscriptions
            ),
            *(
                Part(
                    name=schedule.subject,
                    is_there=partial(streams.is_there, partial(streams.find_schedule, stream, schedule)),
                    make=partial(streams.publish_schedule, stream, schedule),
                )
                for schedule in self.schedules
            ),
        ]

    async def _measure(self, subscription: Subscription) -> None:
        """Look at a consumer, and keep the metric of how many messages wait for it."""
        info = await self.stream.consumer_info(streams.stream_of(subscription.topic), subscription.function)
        LAG.labels(subscription.function).set(info.num_pending or 0)

    async def _visit(self, do: Callable[[Part], Awaitable[None]]) -> bool:
        """Do something with each part. Returns whether all went well; one that can't be made holds up no other."""
        well = True
        for part in self._parts():
            try:
                await do(part)
            except TimeoutError:
                log.warning("the stream does not answer", part=part.name)
                return False
            except (NatsError, OSError) as error:
                log.warning("missing in the stream", part=part.name, cause=str(error))
                well = False
        return well

    async def _make(self, part: Part) -> None:
        await part.make()

    async def _make_if_missing(self, part: Part) -> None:
        if not await part.is_there():
            await part.make()
            MADE.labels(part.name).inc()
            log.warning("was missing in the stream, made again", part=part.name)


async def _wait(seconds: float, *events: asyncio.Event) -> None:
    """Until one of the events or the time is over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
