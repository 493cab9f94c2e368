"""What the flow stands on is made again whenever it is missing, and brought to its shape from an older version's."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from countermark.http.problems import Unavailable
from countermark.jobs.messages import IMAGES_WAITING, RECONCILE_SWEEP
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig

from infra.connector.streams import COUNTERMARK, DEAD_LETTERS, NOTIFICATIONS, SCHEDULES
from tests.connector.flow import Flow, make_flow
from tests.connector.functions import Reply
from tests.platform_driver import wait_until

STREAMS = [COUNTERMARK, SCHEDULES, NOTIFICATIONS, DEAD_LETTERS]
SECONDS_TO_COME_BACK = 10
"""A look every few seconds, and a pull that was lost with its consumer."""


@pytest.fixture
def full_flow(tmp_path: Path) -> Iterator[Flow]:
    """A flow whose stream has a disk of its own, of 16 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=True)
    try:
        with make_flow(disk) as flow:
            yield flow
    finally:
        subprocess.run(["umount", disk], check=True)


def answers(flow: Flow, job: str) -> None:
    """Publish until the stream takes it, and see it delivered."""
    wait_until(lambda: takes(flow, job), SECONDS_TO_COME_BACK)
    wait_until(lambda: flow.functions.calls_with(f"{IMAGES_WAITING}.{job}"), SECONDS_TO_COME_BACK)


def takes(flow: Flow, job: str) -> bool:
    """Whether the stream takes a message."""
    try:
        flow.send(IMAGES_WAITING, job, 1, 0)
    except Unavailable:
        return False
    return True


def sweeps(flow: Flow) -> int:
    return len(flow.functions.calls_with(RECONCILE_SWEEP))


@pytest.mark.parametrize("lost", STREAMS)
def test_a_stream_that_was_deleted_comes_back(flow: Flow, lost: str) -> None:
    before = flow.running.metric(f'connector_stream_parts_made_total{{part="{lost}"}}')
    flow.stream.ask(lambda stream: stream.delete_stream(lost))
    wait_until(
        lambda: flow.running.metric(f'connector_stream_parts_made_total{{part="{lost}"}}') == before + 1,
        SECONDS_TO_COME_BACK,
    )
    answers(flow, f"after-{lost}")
    swept = sweeps(flow)
    wait_until(lambda: sweeps(flow) >= swept + 2, SECONDS_TO_COME_BACK)


def test_a_consumer_that_was_deleted_comes_back(flow: Flow) -> None:
    flow.stream.ask(lambda stream: stream.delete_consumer(COUNTERMARK, "watermark"))
    answers(flow, "after-consumer")


def test_a_schedule_that_was_deleted_comes_back(flow: Flow) -> None:
    flow.stream.ask(lambda stream: stream.purge_stream(SCHEDULES))
    wait_until(lambda: f"schedules.{RECONCILE_SWEEP}" in flow.stream.subjects(SCHEDULES), SECONDS_TO_COME_BACK)
    swept = sweeps(flow)
    wait_until(lambda: sweeps(flow) >= swept + 2, SECONDS_TO_COME_BACK)


def test_a_server_that_lost_its_files_is_filled_again(own_flow: Flow) -> None:
    connector = own_flow.start_connector()
    own_flow.functions.answer(f"{IMAGES_WAITING}.at-work", Reply(seconds=2))
    own_flow.send(IMAGES_WAITING, "at-work", 1, 0)
    wait_until(lambda: own_flow.functions.calls, 10)
    own_flow.nats.kill()
    own_flow.nats.lose_files()
    own_flow.nats.start()
    answers(own_flow, "after-files")
    swept = sweeps(own_flow)
    wait_until(lambda: sweeps(own_flow) >= swept + 2, SECONDS_TO_COME_BACK)
    assert connector.process.poll() is None
    assert "Traceback" not in connector.log.read_text()


def test_a_connector_that_starts_before_the_stream_waits_for_it(own_flow: Flow) -> None:
    own_flow.nats.kill()
    later = threading.Timer(3, own_flow.nats.start)
    later.start()
    own_flow.start_connector()
    later.join()
    answers(own_flow, "early")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk")
def test_a_disk_that_was_full_for_a_moment_is_survived(full_flow: Flow) -> None:
    connector = full_flow.start_connector()
    answers(full_flow, "before")
    ballast = full_flow.nats.store / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(full_flow.nats.store).free))
    messages: list[tuple[str, dict[str, Any]]] = [(f"jobs.complete.{n}.0", {"x": "x" * 10_000}) for n in range(500)]
    with pytest.raises(Unavailable):
        wait_until(lambda: not full_flow.publisher.publish_all(messages), 20)
    ballast.unlink()
    full_flow.nats.kill()  # it keeps its write error until it is started again, which its supervisor sees to
    full_flow.nats.start()
    answers(full_flow, "after")
    swept = sweeps(full_flow)
    wait_until(lambda: sweeps(full_flow) >= swept + 2, SECONDS_TO_COME_BACK)
    assert connector.process.poll() is None


def test_the_streams_of_version_0_1_0_are_brought_to_their_shape(own_flow: Flow) -> None:
    async def old(stream: JetStreamContext) -> None:
        await stream.add_stream(
            StreamConfig(
                name=COUNTERMARK,
                subjects=["objects.created.>", "jobs.>", "reconcile.>", "schedules.>"],
                retention=RetentionPolicy.WORK_QUEUE,
                max_age=7 * 24 * 3600,
                duplicate_window=3600,
                num_replicas=1,
                allow_msg_schedules=True,
                allow_msg_ttl=True,
            )
        )
        await stream.add_stream(StreamConfig(name=DEAD_LETTERS, subjects=["dead.>"], max_age=30 * 24 * 3600))
        topics = {
            "watermark": "objects.created.*",
            "archive": "jobs.complete",
            "expire": "jobs.expired",
            "reconcile": "reconcile.*",
        }
        for name, topic in topics.items():
            await stream.add_consumer(
                COUNTERMARK, ConsumerConfig(durable_name=name, filter_subject=topic, ack_wait=15, max_deliver=-1)
            )
        schedule = {"Nats-Schedule": "@every 1s", "Nats-Schedule-Target": "reconcile.all"}
        await stream.publish("schedules.reconcile.all", b"{}", headers=schedule)
        for subject in ("objects.created.drop", "jobs.complete", "jobs.complete", "dead.jobs.complete"):
            await stream.publish(subject, b"{}")

    own_flow.stream.ask(old)
    own_flow.start_connector()
    answers(own_flow, "upgraded")
    wait_until(lambda: sweeps(own_flow) >= 2, SECONDS_TO_COME_BACK)
    assert {name: shape(own_flow, name) for name in STREAMS} == {
        COUNTERMARK: (["images.>", "jobs.>"], 1, "new", True),
        SCHEDULES: (["schedules.>", "reconcile.>"], 1, "old", False),
        NOTIFICATIONS: (["objects.>"], -1, "old", False),
        DEAD_LETTERS: (["dead.>"], -1, "old", False),
    }
    consumers = own_flow.stream.ask(lambda stream: stream.consumers_info(COUNTERMARK))
    assert {each.name: each.config.filter_subject for each in consumers} == {
        "watermark": "images.waiting.>",
        "archive": "jobs.complete.>",
    }
    assert own_flow.stream.subjects(DEAD_LETTERS) == {"dead.jobs.complete": 1}, "dead letters are kept"
    assert {call.function for call in own_flow.functions.calls} == {"watermark", "reconcile"}


def shape(flow: Flow, name: str) -> tuple[Any, ...]:
    config = flow.stream.ask(lambda stream: stream.stream_info(name)).config
    return config.subjects, config.max_msgs_per_subject, config.discard, config.discard_new_per_subject


def test_a_second_start_changes_nothing(own_flow: Flow) -> None:
    own_flow.start_connector().leave()
    own_flow.send(IMAGES_WAITING, "kept", 1, 0)
    own_flow.start_connector()
    wait_until(lambda: own_flow.functions.calls_with(f"{IMAGES_WAITING}.kept"), 10)


def test_a_connector_whose_connection_is_closed_for_good_ends_with_an_error(own_flow: Flow) -> None:
    connector = own_flow.start_connector()
    own_flow.nats.ask_for_a_password(True)
    assert connector.process.wait(20) == 1  # its supervisor starts it again
    assert "the connection to the stream was closed" in connector.log.read_text()
