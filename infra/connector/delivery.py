"""Delivers the messages of one function: pull, POST as a CloudEvent, and then ack, try again later, or give up.

What a function answers::

    2xx                    done
    429, 503               not now: the message is held, and posted again after a while; no attempt is counted
    other 5xx, no answer   again later, with more time in between each time, up to so many attempts
    4xx                    never again

A message that is given up goes to the dead letters with the reason, and the reconciliation ends what waited for it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from infra.connector.metrics import DEAD_LETTERS, DELIVERIES, IN_FLIGHT, SECONDS
from infra.connector.patience import first_answer
from infra.connector.settings import ConnectorSettings
from infra.connector.stack import Subscription
from infra.connector.streams import STREAM

log = structlog.get_logger()

FAILED_SUBJECT = "reconcile.failed"
FETCH_SECONDS = 5.0
"""A request for messages is lost with the server that had it: this long nothing would come."""
LONGEST_PAUSE = 60.0
LONGEST_HOLD = 10.0
MARGIN_SECONDS = 15.0
"""More than the function's own limit, so that the function or its watchdog answers first."""


class Refused(Exception):
    """The function says that this message can never be handled."""


class Failed(Exception):
    """The function could not handle the message this time."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The delivery of one function's messages."""

    subscription: Subscription
    settings: ConnectorSettings
    stream: JetStreamContext
    session: aiohttp.ClientSession
    stopping: asyncio.Event

    async def run(self) -> None:
        """Deliver with as many workers as messages may be in flight, until told to stop; then finish those in hand."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.subscription.concurrency):
                group.create_task(self._work())

    async def _work(self) -> None:
        name = self.subscription.function
        pull = await self.stream.pull_subscribe_bind(consumer=name, stream=STREAM)
        while not self.stopping.is_set():
            for message in await self._fetch(pull):
                with IN_FLIGHT.labels(name).track_inprogress():
                    try:
                        async with self._kept(message):
                            await self._deliver(message)
                    except (NatsError, APIError) as error:  # the stream will deliver it again
                        log.warning("the stream did not take the answer", function=name, error=repr(error))

    async def _fetch(self, pull: Any) -> list[Msg]:
        """The next message, or none after a while or when told to stop."""
        fetch = asyncio.ensure_future(pull.fetch(1, timeout=FETCH_SECONDS))
        stop = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait({fetch, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not fetch.done():
            fetch.cancel()
            return []
        try:
            messages: list[Msg] = fetch.result()
        except NatsTimeoutError:
            return []
        except (NatsError, APIError) as error:
            log.warning("the stream gives no messages", function=self.subscription.function, error=repr(error))
            await asyncio.sleep(1)
            return []
        return messages

    @asynccontextmanager
    async def _kept(self, message: Msg) -> AsyncIterator[None]:
        """Tell the stream again and again that the message is being worked on."""

        async def keep() -> None:
            while True:
                await asyncio.sleep(self.settings.ack_wait / 3)
                await message.in_progress()

        task = asyncio.ensure_future(keep())
        try:
            yield
        finally:
            task.cancel()

    async def _deliver(self, message: Msg) -> None:
        attempt = message.metadata.num_delivered or 1
        try:
            if attempt > self.settings.attempts:
                raise Refused("The connector ended during the last attempt.")  # noqa: TRY301
            answered = await self._post_until_answered(message)
        except Refused as error:
            await self._give_up(message, str(error))
        except Failed as error:
            if attempt >= self.settings.attempts:
                await self._give_up(message, f"{error} ({attempt} attempts)")
                return
            pause = min(2.0 ** (attempt - 1), LONGEST_PAUSE)
            log.info("again later", function=self.subscription.function, attempt=attempt, pause=pause, why=str(error))
            await message.nak(delay=pause)
        else:
            await (message.ack() if answered else message.nak(delay=1))

    async def _post_until_answered(self, message: Msg) -> bool:
        """Returns False when told to stop while the function could not take the message."""
        hold = 0.2
        while not await first_answer(
            partial(self._post, message), patience=self.subscription.patience, made_again=self._count_again
        ):
            if self.stopping.is_set():
                return False
            await asyncio.sleep(hold)
            hold = min(hold * 2, LONGEST_HOLD)
        return True

    def _count_again(self) -> None:
        DELIVERIES.labels(self.subscription.function, "again").inc()
        log.warning("no answer yet, posted again", function=self.subscription.function)

    async def _post(self, message: Msg) -> bool:
        """POST the message. Returns False when the function can't take it just now.

        Raises:
            Refused, Failed: as the function answered.
        """
        name = self.subscription.function
        url = self.settings.function_url.replace("{function}", name)
        limit = aiohttp.ClientTimeout(total=self.subscription.seconds + MARGIN_SECONDS)
        try:
            with SECONDS.labels(name).time():
                async with self.session.post(
                    url, data=message.data, headers=_event_headers(message), timeout=limit
                ) as answer:
                    text = (await answer.text(errors="replace"))[:500]
        except (aiohttp.ClientError, TimeoutError) as error:
            DELIVERIES.labels(name, "retry").inc()
            raise Failed(f"no answer: {error!r}") from error
        if answer.ok:
            DELIVERIES.labels(name, "done").inc()
            return True
        if answer.status in {429, 503}:
            DELIVERIES.labels(name, "later").inc()
            return False
        outcome = "retry" if answer.status >= 500 else "refused"
        DELIVERIES.labels(name, outcome).inc()
        raise (Failed if outcome == "retry" else Refused)(f"{answer.status}: {text}")

    async def _give_up(self, message: Msg, reason: str) -> None:
        """Move the message to the dead letters, and tell the reconciliation; done twice, it is done once."""
        name, sequence = self.subscription.function, message.metadata.sequence.stream
        log.warning("message given up", function=name, subject=message.subject, sequence=sequence, reason=reason)
        headers = {"Nats-Msg-Id": f"dead/{sequence}", "Countermark-Reason": json.dumps(reason)}
        await self.stream.publish(f"dead.{message.subject}", message.data, headers=headers)
        if message.subject != FAILED_SUBJECT:
            failed = {"subject": message.subject, "data": _data(message), "reason": reason}
            await self.stream.publish(
                FAILED_SUBJECT, json.dumps(failed).encode(), headers={"Nats-Msg-Id": f"failed/{sequence}"}
            )
        await message.ack()
        DEAD_LETTERS.labels(name).inc()


def _data(message: Msg) -> Any:
    try:
        return json.loads(message.data)
    except ValueError:
        return None


def _event_headers(message: Msg) -> dict[str, str]:
    """The message as a CloudEvent 1.0 in HTTP's binary mode: attributes as headers, data as the body."""
    sequence = message.metadata.sequence.stream
    return {
        "ce-specversion": "1.0",
        "ce-id": f"{message.metadata.stream}/{sequence}",
        "ce-source": "urn:countermark:stream",
        "ce-type": message.subject,
        "ce-time": message.metadata.timestamp.isoformat().replace("+00:00", "Z"),
        "Content-Type": "application/json",
    }
