"""The stream as it is on a cluster: three real servers, the users' file, three copies of everything."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nats
import pytest
from countermark.servers.stream import STILL_THERE
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from infra.connector.settings import ConnectorSettings
from infra.connector.stack import Subscription
from infra.connector.streams import COUNTERMARK, stream_configs, update_consumer, update_stream
from infra.local.ports import pick_free_port
from infra.project import BINARIES
from tests.kubernetes.rendered import Rendered, targets

RENDERED = Rendered(targets()["openfaas"])
CONFIGURATION = """\
server_name: {name}
host: 127.0.0.1
port: {port}
http: "127.0.0.1:{monitor}"
include {users}
jetstream {{ store_dir: "{store}", sync_interval: always }}
cluster {{ name: nats, host: 127.0.0.1, port: {route}, no_advertise: true, routes: [{routes}] }}
"""
WATERMARK = Subscription(function="watermark", topic="images.waiting.>", concurrency=32, seconds=120)


@dataclass
class Servers:
    """Three servers that know each other."""

    passwords: dict[str, str]
    ports: list[int] = field(default_factory=lambda: [pick_free_port() for _ in range(3)])
    monitors: list[int] = field(default_factory=lambda: [pick_free_port() for _ in range(3)])
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def addresses(self, user: str) -> list[str]:
        """Of all servers, as the servers of a Service's name are."""
        return [f"nats://{user}:{self.passwords[user]}@127.0.0.1:{port}" for port in self.ports]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """The servers; what is left of them ends with the test."""
    secrets = {each["metadata"]["name"]: each["stringData"] for each in RENDERED.secrets(tmp_path / "secrets")}
    users = tmp_path / "users.conf"
    users.write_text(secrets["countermark-nats"]["users.conf"])
    urls = [secrets[f"countermark-{name}"]["nats-url"] for name in ("connector", "upload")]
    made = Servers({url.split("/")[2].split(":")[0]: url.split(":")[2].split("@")[0] for url in urls})
    routes = [pick_free_port() for _ in range(3)]
    with ExitStack() as stack:
        for number, route in enumerate(routes):
            path = tmp_path / f"nats-{number}.conf"
            path.write_text(
                CONFIGURATION.format(
                    name=f"nats-{number}",
                    port=made.ports[number],
                    monitor=made.monitors[number],
                    users="users.conf",
                    store=tmp_path / f"nats-{number}",
                    route=route,
                    routes=", ".join(f"nats://127.0.0.1:{each}" for each in routes),
                )
            )
            process = subprocess.Popen([BINARIES / "nats-server", "-c", path], stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            made.processes.append(process)
        yield made


async def set_up(client: nats.NATS, settings: ConnectorSettings) -> None:
    """What the connector does at its start; the servers may still be choosing who leads."""
    end = time.monotonic() + 60
    while True:
        try:
            for config in stream_configs(settings).values():
                await update_stream(client.jetstream(), config)
            await update_consumer(client.jetstream(), WATERMARK, settings)
        except (NatsError, APIError):
            assert time.monotonic() < end
            await asyncio.sleep(0.5)
        else:
            return


def test_three_copies_outlive_a_server(servers: Servers) -> None:
    async def run() -> None:
        settings = ConnectorSettings(nats_url=servers.addresses("connector")[0], stream_replicas=3)
        async with connected(servers, "connector") as connector, connected(servers, "functions") as functions:
            await set_up(connector, settings)
            assert (await connector.jetstream().stream_info(COUNTERMARK)).config.num_replicas == 3
            for number in range(5):
                await publish(functions, number)
            servers.processes[0].kill()
            for number in range(5, 8):
                await publish(functions, number)
            assert await take_all(connector, 8) == {f"images.waiting.j.{number}.0" for number in range(8)}

    asyncio.run(run())


@asynccontextmanager
async def connected(servers: Servers, user: str) -> AsyncIterator[nats.NATS]:
    """A connection of a user to one of the servers that are there."""
    client = await nats.connect(servers.addresses(user), max_reconnect_attempts=-1, reconnect_time_wait=0.2)
    try:
        yield client
    finally:
        await client.close()


async def take_all(client: nats.NATS, wanted: int) -> set[str]:
    """Take messages until so many have come; a request for some is lost with the server that had it, and is made again.

    Returns:
        their subjects.
    """
    pull = await client.jetstream().pull_subscribe_bind(consumer="watermark", stream=COUNTERMARK)
    taken, end = set[str](), time.monotonic() + 60
    while len(taken) < wanted:
        assert time.monotonic() < end, f"only {taken} came"
        try:
            for message in await pull.fetch(8, timeout=2):
                taken.add(message.subject)
                await message.ack()
        except (NatsError, APIError):
            await asyncio.sleep(0.2)
    return taken


async def publish(client: nats.NATS, number: int) -> None:
    """Publish until the stream says that it has it, now or from a try that it did not confirm."""
    end = time.monotonic() + 30
    while True:
        try:
            await client.jetstream().publish(f"images.waiting.j.{number}.0", b"{}", timeout=2)
        except (NatsError, APIError) as error:
            if isinstance(error, APIError) and error.description == STILL_THERE:
                return
            assert time.monotonic() < end
            await asyncio.sleep(0.2)
        else:
            return
