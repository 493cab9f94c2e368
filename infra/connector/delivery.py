"""Delivers the messages of one function: pull, POST as a CloudEvent, judge the answer."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import aiohttp
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from infra.connector.metrics import DEAD_LETTERS, DELIVERIES, IN_FLIGHT, LET_GO, SECONDS
from infra.connector.pulling import Pulling
from infra.connector.settings import ConnectorSettings
from infra.connector.stack import Subscription
from infra.connector.streams import stream_of
from infra.connector.verdict import TOO_MANY_REQUESTS, Verdict, is_over, judge, pause

log = structlog.get_logger()

ALONE_SECONDS = 20.0
"""After so long a call of a function with leases may be lost: whoever works has a lease, or has let it lapse."""
SHORTEST_REST, LONGEST_REST = 0.1, 1.0
"""What a worker waits after a 429: the function is full, so the next message would meet the same."""
MARGIN_SECONDS = 15.0
"""More than the function's own limit, so that the function or its watchdog answers first."""
BYTES_OF_REASON = 2000
"""How much is read of an answer that is not 2xx."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a function answered."""

    status: int | None = None
    """None: it did not."""
    media_type: str = ""
    text: str = ""
    seconds: float = 0.0
    """How long the call took."""

    @property
    def reason(self) -> str:
        """For whoever looks for the cause."""
        return f"{self.status or 'no answer'}: {self.text}"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The delivery of one function's messages."""

    subscription: Subscription
    settings: ConnectorSettings
    stream: JetStreamContext
    session: aiohttp.ClientSession
    stopping: asyncio.Event
    missing: asyncio.Event
    """Set when the stream or its consumer gives no messages, so that somebody looks."""

    async def run(self) -> None:
        """Deliver with as many workers as messages may be in flight, until told to stop; then finish those in hand."""
        pulling = Pulling(
            self.stream,
            stream_of(self.subscription.topic),
            self.subscription.function,
            stopping=self.stopping,
            missing=self.missing,
        )
        async with asyncio.TaskGroup() as group:
            for _ in range(self.subscription.concurrency):
                group.create_task(self._work(pulling))

    async def _work(self, pulling: Pulling) -> None:
        """Take one message after the other. Whatever happens to one, the worker goes on."""
        rest = 0.0
        while not self.stopping.is_set():
            message = await pulling.next()
            if message is not None:
                full = await self._deliver(message)
                rest = min(max(rest * 2, SHORTEST_REST), LONGEST_REST) if full else 0.0
                await self._rest(rest)

    async def _rest(self, seconds: float) -> None:
        if seconds:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), seconds)

    async def _deliver(self, message: Msg) -> bool:
        """Post a message, and answer the stream. Returns whether the function is full."""
        name = self.subscription.function
        with IN_FLIGHT.labels(name).track_inprogress():
            started = time.monotonic()
            call = asyncio.ensure_future(self._post(message))
            try:
                async with self._kept(message):
                    await asyncio.wait({call}, timeout=ALONE_SECONDS if self.subscription.leases else None)
                    answer = replace(call.result(), seconds=time.monotonic() - started) if call.done() else None
                    try:
                        await (self._settle(message, answer) if answer else self._deliver_again(message))
                    except Exception as error:  # the stream delivers it again
                        log.warning("the stream did not take the answer", function=name, cause=str(error))
                return (await call).status == TOO_MANY_REQUESTS
            finally:
                call.cancel()

    async def _deliver_again(self, message: Msg) -> None:
        """Let the message come to another copy as well: this one may be lost with its host, before it took a lease."""
        log.info(
            "delivered beside a call that takes long", function=self.subscription.function, subject=message.subject
        )
        await message.nak()

    @asynccontextmanager
    async def _kept(self, message: Msg) -> AsyncIterator[None]:
        """Tell the stream again and again that the message is being worked on."""

        async def keep() -> None:
            while True:
                await asyncio.sleep(self.settings.ack_wait / 3)
                with suppress(NatsError):  # the connection comes back, or the stream delivers the message again
                    await message.in_progress()

        task = asyncio.ensure_future(keep())
        try:
            yield
        finally:
            task.cancel()

    async def _post(self, message: Msg) -> Answer:
        """POST the message as a CloudEvent. Whatever keeps an answer away, that is no answer."""
        name = self.subscription.function
        try:
            with SECONDS.labels(name).time():
                async with self.session.post(
                    self.settings.function_url.replace("{function}", name),
                    data=message.data,
                    headers=_event_headers(message),
                    timeout=aiohttp.ClientTimeout(total=self.subscription.seconds + MARGIN_SECONDS),
                    allow_redirects=False,
                ) as answer:
                    text = b"" if answer.ok else await answer.content.read(BYTES_OF_REASON)
                    return Answer(
                        status=answer.status, media_type=answer.content_type, text=text.decode(errors="replace")
                    )
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(text=repr(error))
        except Exception as error:
            log.exception("a message that can't be posted", function=name, subject=message.subject)
            return Answer(text=repr(error))

    async def _settle(self, message: Msg, answer: Answer) -> None:
        """Answer the stream as the function answered."""
        name, delivery = self.subscription.function, message.metadata.num_delivered or 1
        verdict = judge(answer.status, answer.media_type)
        DELIVERIES.labels(name, verdict).inc()
        match verdict:
            case Verdict.DONE:
                await message.ack()
            case Verdict.RETRY | Verdict.HOLD if not is_over(verdict, delivery, answer.seconds):
                seconds = pause(verdict, delivery)
                if verdict is Verdict.RETRY or delivery == 1:  # in an outage each message is held again and again
                    log.info("again later", function=name, subject=message.subject, verdict=verdict, why=answer.reason)
                await message.nak(delay=seconds)
            case Verdict.HOLD:
                log.warning("message let go", function=name, subject=message.subject, reason=answer.reason)
                await message.ack()
                LET_GO.labels(name).inc()
            case Verdict.RETRY | Verdict.DEAD:
                log.warning("message given up", function=name, subject=message.subject, reason=answer.reason)
                headers = {"Countermark-Reason": json.dumps(answer.reason)}
                await self.stream.publish(f"dead.{message.subject}", message.data, headers=headers)
                await message.ack()
                DEAD_LETTERS.labels(name).inc()


def _event_headers(message: Msg) -> dict[str, str]:
    """The message as a CloudEvent 1.0 in HTTP's binary mode: attributes as headers, data as the body."""
    meta = message.metadata
    return {
        "ce-specversion": "1.0",
        "ce-id": f"{meta.stream}/{meta.sequence.stream}",
        "ce-source": "urn:countermark:stream",
        "ce-type": ".".join(message.subject.split(".")[:2]),
        "ce-subject": message.subject,
        "ce-time": meta.timestamp.isoformat().replace("+00:00", "Z"),
        "Content-Type": "application/json",
    }
