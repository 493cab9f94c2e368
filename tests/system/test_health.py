"""A server that lives and does not work any more is started again by the platform."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import nats
import pytest
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from infra.local.ports import pick_free_port
from tests.client import caller_of, picture
from tests.platform_driver import Platform, temporary_folder, wait_until

pytestmark = [
    pytest.mark.xdist_group("starts"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk"),
]

SIZES = {"nats": "16m", "seaweedfs": "400m"}


@pytest.fixture(scope="module")
def small_disks() -> Iterator[Platform]:
    """A platform two of whose servers are on small disks."""
    with temporary_folder() as folder, ExitStack() as mounted:
        for name, size in SIZES.items():
            disk = folder / "data" / name
            disk.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", name, disk], check=True)
            mounted.callback(subprocess.run, ["umount", "--lazy", disk], check=True)
        platform = Platform(folder / "data", pick_free_port())
        platform.open()
        yield platform
        platform.close()


def health(platform: Platform) -> int:
    """What the stream's server tells of itself."""
    try:
        return httpx.get(f"http://127.0.0.1:{platform.ports['nats-monitor']}/healthz").status_code
    except httpx.TransportError:
        return 0


def stores(platform: Platform) -> bool:
    """Whether the stream takes a message."""

    async def run() -> None:
        client = await nats.connect(platform.secret("nats-url"), connect_timeout=1, allow_reconnect=False)
        try:
            await client.jetstream().publish("dead.test", b"x" * 20_000, timeout=1)
        finally:
            await client.close()

    try:
        asyncio.run(run())
    except (NatsError, APIError, OSError):
        return False
    return True


def fill(path: Path) -> None:
    """Leave no room on a disk."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            continue


def test_the_stream_works_again_when_its_full_disk_has_room(small_disks: Platform) -> None:
    first = small_disks.pids("nats")
    wait_until(lambda: stores(small_disks))
    room = small_disks.data / "nats" / "room"
    fill(room)
    wait_until(lambda: not stores(small_disks))
    wait_until(lambda: health(small_disks) != 200)
    wait_until(lambda: small_disks.pids("nats") not in (first, []))  # in vain: there is no room yet
    room.unlink()
    wait_until(lambda: stores(small_disks), 180)
    assert health(small_disks) == 200
    assert "nats does not work" in small_disks.output.read_text()


def test_the_store_works_again_when_its_full_disk_has_room(small_disks: Platform) -> None:
    room, filer = small_disks.data / "seaweedfs" / "room", f"http://127.0.0.1:{small_disks.ports['filer']}"
    with caller_of(small_disks) as caller:
        jobs = [caller.upload([("a.jpg", picture())])]
        caller.wait(jobs[0])
        first = small_disks.pids("seaweedfs")
        fill(room)
        # Each folder is in one of the filer's databases. What is deleted in one of them is written as well.
        while all(httpx.put(f"{filer}/try/{number}/{'x' * 200}").is_success for number in range(64)):
            continue
        assert small_disks.pids("seaweedfs") == first, "what it has can be had"
        assert caller.archive(jobs[0])
        room.unlink()
        wait_until(lambda: small_disks.pids("seaweedfs") not in (first, []), 90)
        wait_until(lambda: caller.post([("c.jpg", picture())]).status_code == 202)
        jobs += [caller.upload([("d.jpg", picture())]) for _ in range(20)]
        assert [caller.wait(job)["done"] for job in jobs] == [1] * 21
