"""A worker in this process, whose waits can be made short."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from countermark.jobs.messages import IMAGES_WAITING
from countermark.servers.stream import connect_stream
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from prometheus_client import REGISTRY

from infra.connector import delivery, pulling, upkeep, verdict
from infra.connector.settings import ConnectorSettings
from infra.connector.stack import Subscription
from infra.connector.streams import COUNTERMARK, DEAD_LETTERS
from tests.connector.flow import Flow
from tests.connector.functions import Reply, problem

SUBSCRIPTION = Subscription(function="watermark", topic="images.waiting.>", concurrency=1, seconds=5)


@dataclass(frozen=True)
class Worker:
    """What a test may get hold of."""

    client: Client
    keep: upkeep.Upkeep


@asynccontextmanager
async def working(flow: Flow) -> AsyncIterator[Worker]:
    """One worker, and who makes what it needs."""
    client = await connect_stream(flow.nats.url)
    stopping = asyncio.Event()
    settings = ConnectorSettings(
        nats_url=flow.nats.url, ack_wait=2, function_url=f"http://127.0.0.1:{flow.functions.port}/{{function}}"
    )
    keep = upkeep.Upkeep(
        client=client,
        stream=client.jetstream(),
        settings=settings,
        subscriptions=[SUBSCRIPTION],
        schedules=[],
        stopping=stopping,
    )
    await keep.start()
    try:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            worker = delivery.Delivery(
                subscription=SUBSCRIPTION,
                settings=settings,
                stream=client.jetstream(),
                session=session,
                stopping=stopping,
                missing=keep.missing,
            )
            group.create_task(worker.run())
            group.create_task(keep.run())
            try:
                yield Worker(client, keep)
            finally:
                stopping.set()
    finally:
        await client.close()


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


def calls(flow: Flow, job: str) -> int:
    return len(flow.functions.calls_with(f"{IMAGES_WAITING}.{job}"))


async def waiting(worker: Worker) -> int:
    return (await worker.client.jetstream().stream_info(COUNTERMARK)).state.messages


def test_a_worker_that_lost_its_subscription_makes_a_new_one(own_flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "FETCH_SECONDS", 0.5)

    async def run() -> None:
        async with working(own_flow) as worker:
            own_flow.send(IMAGES_WAITING, "first", 1, 0)
            await until(lambda: calls(own_flow, "first"))
            for subscription in list(worker.client._subs.values()):
                if not subscription.subject.endswith("*"):  # that is for the answers to requests
                    await subscription.unsubscribe()
            own_flow.send(IMAGES_WAITING, "second", 1, 0)
            await until(lambda: calls(own_flow, "second"))

    asyncio.run(run())


def test_a_lost_stream_is_made_again_as_soon_as_a_worker_notices(
    own_flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "FETCH_SECONDS", 0.5)
    monkeypatch.setattr(upkeep, "SECONDS_BETWEEN_LOOKS", 1000)

    async def run() -> None:
        async with working(own_flow) as worker:
            await asyncio.sleep(upkeep.SECONDS_BETWEEN_TRIES)
            await worker.client.jetstream().delete_stream(COUNTERMARK)
            started = time.monotonic()
            while True:
                try:
                    await worker.client.jetstream().consumer_info(COUNTERMARK, "watermark")
                except NotFoundError:
                    assert time.monotonic() - started < 5
                    await asyncio.sleep(0.05)
                else:
                    break

    asyncio.run(run())


def test_a_held_message_is_let_go_in_the_end(own_flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "SECONDS_IN_ALL", 0.5)
    own_flow.functions.answer(IMAGES_WAITING, problem(503))
    counted = ("connector_messages_let_go_total", {"function": "watermark"})
    before = REGISTRY.get_sample_value(*counted) or 0

    async def run() -> None:
        async with working(own_flow) as worker:
            own_flow.send(IMAGES_WAITING, "held", 1, 0)
            await until(lambda: (REGISTRY.get_sample_value(*counted) or 0) == before + 1)
            assert calls(own_flow, "held") == 3, "after 0.2 and 0.4 s it is over"
            assert await waiting(worker) == 0
            assert (await worker.client.jetstream().stream_info(DEAD_LETTERS)).state.messages == 0

    asyncio.run(run())


def test_a_message_that_fails_is_a_dead_letter_in_the_end(own_flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "SECONDS_IN_ALL", 1)
    own_flow.functions.answer(IMAGES_WAITING, problem(500, "once"), problem(500, "twice"), Reply())

    async def run() -> None:
        async with working(own_flow) as worker:
            own_flow.send(IMAGES_WAITING, "fails", 1, 0)
            letter = await asyncio.to_thread(own_flow.stream.dead_letter, f"{IMAGES_WAITING}.fails.1.0")
            assert letter[1] == "500: twice"
            assert calls(own_flow, "fails") == 2
            await asyncio.sleep(0.2)
            assert await waiting(worker) == 0

    asyncio.run(run())
