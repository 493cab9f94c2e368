"""Takes the messages of one function from its consumer, one after the other, for all who deliver them."""

import asyncio
from contextlib import suppress

import structlog
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext

log = structlog.get_logger()

PullSubscription = JetStreamContext.PullSubscription

FETCH_SECONDS = 5.0
"""A lost server takes the pull request with it; this caps the gap."""
FETCHES_IN_VAIN = 6
"""After so many there is a new subscription: of one that was lost, nothing tells but that nothing comes."""
SECONDS_AFTER_A_FAULT = 1.0


class Pulling:
    """The one pull request that a function has, however many of its workers wait: each costs an idle machine time."""

    def __init__(
        self, stream: JetStreamContext, name: str, consumer: str, *, stopping: asyncio.Event, missing: asyncio.Event
    ) -> None:
        """Nothing is asked yet.

        Args:
            name: the stream's.
            consumer: the function's name, which its consumer has too.
            stopping: when it is set, nobody gets another message.
            missing: is set when the stream or its consumer gives no messages.
        """
        self._stream, self._name, self._consumer = stream, name, consumer
        self._stopping, self._missing = stopping, missing
        self._turn = asyncio.Lock()
        self._pull: PullSubscription | None = None
        self._vain = 0

    async def next(self) -> Msg | None:
        """The next message, or none after a while or when told to stop. Who asks first gets the first."""
        async with self._turn:
            if self._stopping.is_set():
                return None
            try:
                self._pull = self._pull or await self._stream.pull_subscribe_bind(
                    consumer=self._consumer, stream=self._name
                )
                message = await self._fetch(self._pull)
            except Exception as error:
                log.warning("the stream gives no messages", function=self._consumer, cause=str(error))
                self._missing.set()
                message, self._vain = None, FETCHES_IN_VAIN
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), SECONDS_AFTER_A_FAULT)
            self._vain = 0 if message is not None else self._vain + 1
            if self._vain >= FETCHES_IN_VAIN:
                await self._unsubscribe()
            return message

    async def _unsubscribe(self) -> None:
        with suppress(Exception):  # it may be what was lost
            if self._pull is not None:
                await self._pull.unsubscribe()
        self._pull, self._vain = None, 0

    async def _fetch(self, pull: PullSubscription) -> Msg | None:
        """The next message, or none after a while or when told to stop.

        Raises:
            Exception: the stream, the consumer or the subscription is gone.
        """
        fetch = asyncio.ensure_future(pull.fetch(1, timeout=FETCH_SECONDS))
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({fetch, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not fetch.done():
            fetch.cancel()
            return None
        if fetch.cancelled():  # the client does so, and as its own cancellation it would end the worker without a word
            raise ConnectionError("the subscription was lost")
        try:
            return fetch.result()[0]
        except NatsTimeoutError:
            return None
