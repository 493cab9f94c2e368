"""The whole connector in this process, between a real stream and functions that answer as told."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from countermark.jobs.messages import IMAGES_WAITING, JOBS_COMPLETE, OBJECTS_CREATED, RECONCILE_SWEEP
from countermark.servers.stream import connect_stream
from nats.js.errors import NotFoundError
from prometheus_client import REGISTRY

from infra.connector import delivery
from infra.connector.__main__ import run
from infra.connector.settings import ConnectorSettings
from infra.connector.stack import schedules_of, subscriptions_of
from infra.connector.streams import COUNTERMARK, DEAD_LETTERS, NOTIFICATIONS, SCHEDULES
from infra.local.ports import pick_free_port
from infra.stack import read_stack
from tests.connector.flow import SLOTS, STACK, TOKEN, Flow
from tests.connector.functions import Call, Reply, problem

CREATED = {"event_type": "create", "key": "/buckets/drop/w/a b+é.jpg", "message": {"new_entry": {"name": "x"}}}


class Running:
    """The connector, and what the stream and the functions have seen."""

    def __init__(self, flow: Flow, settings: ConnectorSettings, session: aiohttp.ClientSession, stream: Any) -> None:
        self.flow, self.settings, self.session, self.stream = flow, settings, session, stream

    async def send(self, kind: str, *parts: object) -> str:
        """Publish a message; its subject."""
        about = ".".join([kind, *map(str, parts)])
        await self.stream.publish(about, json.dumps({"version": 1, "job": str(parts[0])}).encode())
        return about

    async def until(self, condition: Callable[[], object], seconds: float = 8) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "not in time"
            await asyncio.sleep(0.02)

    async def is_done(self, about: str) -> None:
        """Wait until the stream has a message no more."""
        end = time.monotonic() + 8
        while about in (await self.subjects(COUNTERMARK)):
            assert time.monotonic() < end, f"{about} is still there"
            await asyncio.sleep(0.05)

    async def subjects(self, name: str) -> dict[str, int]:
        """What a stream has."""
        info = await self.stream.stream_info(name, subjects_filter=">")
        return info.state.subjects or {}

    def calls(self, about: str) -> list[Call]:
        """What the functions were called with."""
        return self.flow.functions.calls_with(about)

    async def get(self, path: str) -> tuple[int, str]:
        """Ask the connector itself."""
        async with self.session.get(f"http://127.0.0.1:{self.settings.port}{path}") as answer:
            return answer.status, await answer.text()

    async def webhook(self, body: object, token: str | None = TOKEN) -> int:
        """Notify of an object."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.settings.port}/webhook"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(url, data=data, headers=headers) as answer:
            return answer.status


@asynccontextmanager
async def running(flow: Flow, **settings: Any) -> AsyncIterator[Running]:
    """Start it, and let it leave by SIGTERM."""
    path = flow.folder / "stack.yml"
    path.write_text(STACK)
    own = ConnectorSettings(
        **{
            "nats_url": flow.nats.url,
            "function_url": f"http://127.0.0.1:{flow.functions.port}/{{function}}",
            "webhook_token": TOKEN,
            "port": pick_free_port(),
            "ack_wait": 1,
            **settings,
        }
    )
    stack = read_stack(path, {})
    task = asyncio.ensure_future(run(own, subscriptions_of(stack), schedules_of(stack)))
    client = await connect_stream(flow.nats.url)
    try:
        async with aiohttp.ClientSession() as session:
            it = Running(flow, own, session, client.jetstream())
            await _started(it, task)
            yield it
            assert not task.done(), "it has ended"
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(task, 10)
    finally:
        task.cancel()
        await client.close()


async def _started(it: Running, task: "asyncio.Future[None]") -> None:
    end = time.monotonic() + 10
    while True:
        try:
            assert await it.get("/healthz") == (200, '{"stream": "connected"}')
        except aiohttp.ClientError:
            assert not task.done(), "it has not started"
            assert time.monotonic() < end, "it does not answer"
            await asyncio.sleep(0.02)
        else:
            return


def metric(name: str, **labels: str) -> float:
    """A metric as it is now."""
    return REGISTRY.get_sample_value(name, labels) or 0


def go(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a test, with an end."""
    asyncio.run(asyncio.wait_for(coroutine, 30))


def test_a_message_is_a_cloud_event_and_is_done(own_flow: Flow) -> None:
    async def look() -> None:
        async with running(own_flow) as it:
            before = metric("connector_deliveries_total", function="watermark", outcome="done")
            about = await it.send(IMAGES_WAITING, "event", 7, 1)
            await it.is_done(about)
            (call,) = it.calls(about)
            assert (call.function, json.loads(call.body)) == ("watermark", {"version": 1, "job": "event"})
            told = {name.lower(): value for name, value in call.headers.items()}
            assert (told["ce-type"], told["ce-subject"], told["ce-specversion"]) == ("images.waiting", about, "1.0")
            assert told["ce-source"] == "urn:countermark:stream"
            assert told["ce-id"].startswith(f"{COUNTERMARK}/")
            assert told["ce-id"].partition("/")[2].isdigit()
            assert told["ce-time"].startswith(time.strftime("%Y-%m-%dT", time.gmtime()))
            assert told["ce-time"].endswith("Z")
            assert told["content-type"] == "application/json"
            assert metric("connector_deliveries_total", function="watermark", outcome="done") == before + 1
            assert metric("connector_messages_in_flight", function="watermark") == 0
            assert metric("connector_delivery_seconds_count", function="watermark") >= 1

    go(look())


def test_a_call_that_takes_longer_than_the_stream_waits_is_made_once(own_flow: Flow) -> None:
    async def look() -> None:
        own_flow.functions.answer(IMAGES_WAITING, Reply(seconds=2.5))
        async with running(own_flow) as it:
            about = await it.send(IMAGES_WAITING, "slow", 1, 1)
            await it.until(lambda: it.calls(about))
            await asyncio.sleep(0)
            assert metric("connector_messages_in_flight", function="watermark") == 1
            await it.is_done(about)
            assert len(it.calls(about)) == 1

    go(look())


def test_a_message_comes_to_another_copy_when_a_call_may_be_lost(
    own_flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that waits at a host that is cut off, and has no lease that could lapse."""
    monkeypatch.setattr(delivery, "ALONE_SECONDS", 0.5)

    async def look() -> None:
        lost, late = Reply(seconds=5), problem(500, seconds=1)
        own_flow.functions.answer("images.waiting.lost", lost, Reply())
        own_flow.functions.answer("images.waiting.late", late, Reply())
        own_flow.functions.answer(JOBS_COMPLETE, Reply(seconds=1.5))
        async with running(own_flow) as it:
            for job in ("lost", "late"):
                about = await it.send(IMAGES_WAITING, job, 1, 1)
                await it.until(lambda about=about: len(it.calls(about)) == 2, 3)
                await it.is_done(about)
            without_leases = await it.send(JOBS_COMPLETE, "slow", 1)
            await it.is_done(without_leases)
            await asyncio.sleep(0.5)
            assert [len(it.calls(f"images.waiting.{job}")) for job in ("lost", "late")] == [2, 2], "nobody tries again"
            assert len(it.calls(without_leases)) == 1
            assert await it.subjects(DEAD_LETTERS) == {}

    go(look())


def test_an_error_of_a_function_comes_again_later(own_flow: Flow) -> None:
    async def look() -> None:
        own_flow.functions.answer(JOBS_COMPLETE, problem(500), Reply())
        async with running(own_flow) as it:
            about = await it.send(JOBS_COMPLETE, "error", 0)
            await it.is_done(about)
            ((first, second),) = pairwise(it.calls(about))
            assert second.time - first.time == pytest.approx(1, abs=0.5)

    go(look())


def test_a_function_that_is_away_is_asked_again_soon_and_nothing_is_given_up(own_flow: Flow) -> None:
    async def look() -> None:
        own_flow.functions.answer(JOBS_COMPLETE, problem(503), Reply(status=404, media_type="text/plain"), Reply())
        async with running(own_flow) as it:
            about = await it.send(JOBS_COMPLETE, "away", 0)
            await it.is_done(about)
            gaps = [after.time - before.time for before, after in pairwise(it.calls(about))]
            assert gaps == pytest.approx([0.2, 0.4], abs=0.3)
            assert await it.subjects(DEAD_LETTERS) == {}

    go(look())


def test_what_a_function_refuses_is_reported_with_the_reason(own_flow: Flow) -> None:
    async def look() -> None:
        own_flow.functions.answer(JOBS_COMPLETE, problem(422, "never: ночь" + "x" * 10_000))
        async with running(own_flow) as it:
            before = metric("connector_dead_letters_total", function="archive")
            about = await it.send(JOBS_COMPLETE, "refused", 0)
            await it.is_done(about)
            assert await it.subjects(DEAD_LETTERS) == {f"dead.{about}": 1}
            letter = await it.stream.get_last_msg(DEAD_LETTERS, f"dead.{about}")
            assert json.loads(letter.data) == {"version": 1, "job": "refused"}
            reason = json.loads(letter.headers["Countermark-Reason"])
            assert reason.startswith("422: never: ночьxxx")
            assert len(reason) < 2100
            assert metric("connector_dead_letters_total", function="archive") == before + 1
            assert len(it.calls(about)) == 1

    go(look())


def test_a_full_function_is_left_alone_for_a_while(own_flow: Flow) -> None:
    async def look() -> None:
        own_flow.functions.answer(IMAGES_WAITING, problem(429))
        async with running(own_flow) as it:
            for number in range(100):
                await it.send(IMAGES_WAITING, "full", number, 1)
            await it.until(lambda: it.calls(IMAGES_WAITING))
            await asyncio.sleep(1.5)
            assert SLOTS < len(it.calls(IMAGES_WAITING)) <= 6 * SLOTS

    go(look())


def test_a_function_that_is_not_there_holds_its_messages(own_flow: Flow) -> None:
    async def look() -> None:
        async with running(own_flow, function_url="http://127.0.0.1:1/{function}") as it:
            before = metric("connector_deliveries_total", function="archive", outcome="hold")
            about = await it.send(JOBS_COMPLETE, "away", 0)
            await it.until(
                lambda: metric("connector_deliveries_total", function="archive", outcome="hold") >= before + 2
            )
            assert about in await it.subjects(COUNTERMARK)

    go(look())


def test_a_schedule_is_delivered_again_and_again(own_flow: Flow) -> None:
    async def look() -> None:
        async with running(own_flow) as it:
            await it.until(lambda: len(it.calls(RECONCILE_SWEEP)) >= 3)
            assert {call.function for call in it.calls(RECONCILE_SWEEP)} == {"reconcile"}
            assert f"schedules.{RECONCILE_SWEEP}" in await it.subjects(SCHEDULES)

    go(look())


@pytest.mark.parametrize("name", [COUNTERMARK, SCHEDULES])
def test_a_stream_that_was_deleted_comes_back_with_what_stands_on_it(own_flow: Flow, name: str) -> None:
    async def look() -> None:
        async with running(own_flow) as it:
            before = metric("connector_stream_parts_made_total", part=name)
            await it.stream.delete_stream(name)
            await it.until(lambda: metric("connector_stream_parts_made_total", part=name) == before + 1, 10)
            await asyncio.sleep(0.3)
            swept = len(it.calls(RECONCILE_SWEEP))
            about = await it.send(IMAGES_WAITING, "after", 1, 1)
            await it.until(lambda: it.calls(about), 10)
            await it.until(lambda: len(it.calls(RECONCILE_SWEEP)) >= swept + 2, 10)

    go(look())


def test_each_stream_has_its_shape(own_flow: Flow) -> None:
    async def look() -> None:
        async with running(own_flow, stream_replicas=1) as it:
            shapes = {}
            for name in (COUNTERMARK, SCHEDULES, NOTIFICATIONS, DEAD_LETTERS):
                own = (await it.stream.stream_info(name)).config
                days = round((own.max_age or 0) / 86400)
                shapes[name] = (own.subjects, own.retention, days, own.max_msgs_per_subject, own.discard)
                assert own.num_replicas == 1
            assert shapes == {
                COUNTERMARK: (["images.>", "jobs.>"], "workqueue", 7, 1, "new"),
                SCHEDULES: (["schedules.>", "reconcile.>"], "workqueue", 0, 1, "old"),
                NOTIFICATIONS: (["objects.>"], "workqueue", 7, -1, "old"),
                DEAD_LETTERS: (["dead.>"], "limits", 30, -1, "old"),
            }
            consumer = (await it.stream.consumer_info(COUNTERMARK, "watermark")).config
            assert (consumer.filter_subject, consumer.max_deliver, consumer.ack_wait) == ("images.waiting.>", -1, 1)
            assert consumer.max_ack_pending == 1000
            with pytest.raises(NotFoundError):
                await it.stream.consumer_info(COUNTERMARK, "nobody")

    go(look())


def test_the_webhook_publishes_what_is_new(own_flow: Flow) -> None:
    async def look() -> None:
        async with running(own_flow) as it:
            before = {
                kind: metric("connector_webhooks_total", outcome=kind)
                for kind in ("published", "ignored", "unreadable", "forbidden", "lost")
            }
            assert await it.webhook(CREATED) == 204
            await it.until(lambda: it.calls(f"{OBJECTS_CREATED}.drop"))
            (call,) = it.calls(f"{OBJECTS_CREATED}.drop")
            assert call.function == "drop"
            (record,) = json.loads(call.body)["Records"]
            assert record["s3"]["object"]["key"] == "w/a%20b%2B%C3%A9.jpg"
            assert await it.webhook({**CREATED, "event_type": "delete"}) == 204
            assert await it.webhook(b"{") == 400
            assert await it.webhook(CREATED, token="other") == 403
            await it.stream.delete_stream(NOTIFICATIONS)
            assert await it.webhook(CREATED) == 503
            after = {kind: metric("connector_webhooks_total", outcome=kind) for kind in before}
            assert {kind: after[kind] - before[kind] for kind in before} == dict.fromkeys(before, 1)
            assert len(it.calls(f"{OBJECTS_CREATED}.drop")) == 1

    go(look())


@pytest.mark.parametrize("shown", [None, "", "other", TOKEN + "x"])
def test_the_webhook_needs_its_token(own_flow: Flow, shown: str | None) -> None:
    async def look() -> None:
        async with running(own_flow) as it:
            assert await it.webhook(CREATED, token=shown) == 403

    go(look())


def test_without_a_token_there_is_no_webhook(own_flow: Flow) -> None:
    async def look() -> None:
        async with running(own_flow, webhook_token=None) as it:
            assert await it.webhook(CREATED, token="") == 403
            assert await it.webhook(CREATED, token="None") == 403

    go(look())


def test_it_tells_its_metrics_and_that_the_stream_is_away(own_flow: Flow) -> None:
    async def look() -> None:
        own_flow.functions.answer(JOBS_COMPLETE, Reply(seconds=3))
        async with running(own_flow) as it:
            for number in range(SLOTS + 2):
                await it.send(JOBS_COMPLETE, "measured", number)
            end = time.monotonic() + 5
            while 'connector_messages_waiting{function="archive"} 2.0' not in (await it.get("/metrics"))[1]:
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            own_flow.nats.kill()
            end = time.monotonic() + 5
            while (await it.get("/healthz")) != (503, '{"stream": "away"}'):
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            own_flow.nats.start()

    go(look())
