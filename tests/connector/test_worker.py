"""A worker goes on whatever happens to its subscription."""

import asyncio

import aiohttp
import pytest
from countermark.jobs.messages import IMAGES_WAITING
from countermark.servers.stream import connect_stream

from infra.connector import delivery
from infra.connector.settings import ConnectorSettings
from infra.connector.stack import Subscription
from tests.connector.flow import Flow


async def has_come(flow: Flow, job: str) -> None:
    flow.send(IMAGES_WAITING, job, 1, 0)
    async with asyncio.timeout(10):
        while not flow.functions.calls_with(f"{IMAGES_WAITING}.{job}"):
            await asyncio.sleep(0.05)


def test_a_worker_that_lost_its_subscription_makes_a_new_one(own_flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FETCH_SECONDS", 0.5)
    own_flow.start_connector().leave()  # it made the streams

    async def run() -> None:
        client = await connect_stream(own_flow.nats.url)
        stopping = asyncio.Event()
        async with aiohttp.ClientSession() as session:
            worker = delivery.Delivery(
                subscription=Subscription(function="watermark", topic="images.waiting.>", concurrency=1, seconds=5),
                settings=ConnectorSettings(
                    nats_url=own_flow.nats.url, function_url=f"http://127.0.0.1:{own_flow.functions.port}/{{function}}"
                ),
                stream=client.jetstream(),
                session=session,
                stopping=stopping,
                missing=asyncio.Event(),
            )
            running = asyncio.ensure_future(worker.run())
            await has_come(own_flow, "first")
            for subscription in list(client._subs.values()):
                await subscription.unsubscribe()
            await has_come(own_flow, "second")
            stopping.set()
            await running
        await client.close()

    asyncio.run(run())
