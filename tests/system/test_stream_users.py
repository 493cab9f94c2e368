"""Each user of the stream may do in it what it must, and nothing else."""

import asyncio
import json
import socket

import nats
import pytest

from infra.connector.streams import COUNTERMARK, NOTIFICATIONS
from infra.servers.nats import configuration
from tests.platform_driver import Platform


def url(platform: Platform, user: str) -> str:
    name = f"{user}-nats-password"
    return configuration.url(user, {name: platform.secret(name)}, f"127.0.0.1:{platform.ports['nats']}")


def refusals(platform: Platform, user: str, *, publish: list[str], subscribe: list[str]) -> set[str]:
    """What of these subjects the server refuses to a user."""

    async def run() -> list[str]:
        told: list[str] = []

        async def error(error: Exception) -> None:
            told.append(str(error))

        client = await nats.connect(url(platform, user), error_cb=error)
        for subject in publish:
            await client.publish(subject, b"{}")
        for subject in subscribe:
            await client.subscribe(subject)
        await client.flush()
        await asyncio.sleep(0.2)
        await client.close()
        return told

    told = " ".join(asyncio.run(run())).lower()
    return {subject for subject in [*publish, *subscribe] if f'"{subject.lower()}"' in told}


@pytest.mark.parametrize("user", ["functions", "minio"])
def test_who_publishes_listens_to_nobody_and_changes_no_stream(platform: Platform, user: str) -> None:
    publish = [
        "dead.jobs.complete.j.0",
        "reconcile.sweep",
        "schedules.reconcile.sweep",
        "$JS.API.STREAM.PURGE.COUNTERMARK",
        "$JS.API.STREAM.INFO.COUNTERMARK",
        "anything",
    ]
    subscribe = [">", "objects.created.>", "_INBOX_CONNECTOR.>", "$JS.EVENT.>"]
    refused = refusals(platform, user, publish=publish, subscribe=subscribe)
    assert refused == {*publish, *subscribe}


def test_the_store_publishes_nothing_but_new_objects(platform: Platform) -> None:
    publish = ["jobs.expired.j", "images.waiting.j.1.0"]
    assert refusals(platform, "minio", publish=publish, subscribe=[]) == set(publish)


@pytest.mark.parametrize(
    ("user", "subject", "name"),
    [
        ("functions", "images.waiting.nobody.1.0", COUNTERMARK),
        ("functions", "jobs.complete.nobody.0", COUNTERMARK),
        ("functions", "jobs.expired.nobody", COUNTERMARK),
        ("minio", "objects.created.uploads", NOTIFICATIONS),
    ],
)
def test_what_is_published_is_confirmed(platform: Platform, user: str, subject: str, name: str) -> None:
    data = b'{"Records": []}'

    async def run() -> str:
        client = await nats.connect(url(platform, user))
        try:
            return (await client.jetstream().publish(subject, data, timeout=5)).stream
        finally:
            await client.close()

    assert asyncio.run(run()) == name


def test_nobody_comes_in_with_another_ones_password(platform: Platform) -> None:
    login = {"user": "connector", "pass": platform.secret("functions-nats-password"), "verbose": False}
    with socket.create_connection(("127.0.0.1", platform.ports["nats"]), timeout=5) as connection:
        connection.sendall(f"CONNECT {json.dumps(login)}\r\nPING\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b"Authorization Violation" in answer
    assert b"PONG" not in answer
