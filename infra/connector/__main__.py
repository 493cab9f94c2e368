"""Run the connector: python -m infra.connector

It may run in several copies; they share the consumers. On SIGTERM it takes no more messages, waits for the calls in
flight, and leaves.
"""

import asyncio
import os
import signal
import sys

import aiohttp
import structlog
from aiohttp import web
from countermark.logs import configure_logs
from countermark.servers.stream import connect_stream
from countermark.settings import InvalidSettings, load_settings

from infra.connector.connections import watched_socket
from infra.connector.delivery import Delivery
from infra.connector.server import make_app
from infra.connector.settings import ConnectorSettings
from infra.connector.stack import Schedule, Subscription, schedules_of, subscriptions_of
from infra.connector.streams import UnknownSubject, stream_of
from infra.connector.upkeep import Upkeep
from infra.errors import InvalidStack
from infra.stack import read_stack

log = structlog.get_logger()

STREAM_SECONDS = 30.0
"""A cluster that has only just begun may take longer than the client's five to choose who keeps a stream."""
INBOXES = b"_INBOX_CONNECTOR"
"""Messages are delivered to these, so they have no name that other users of the stream may listen to."""


async def run(settings: ConnectorSettings, subscriptions: list[Subscription], schedules: list[Schedule]) -> None:
    """Connect, and deliver until told to stop.

    Raises:
        SystemExit: the connection to the stream was closed for good.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    client = await connect_stream(settings.nats_url.get_secret_value(), inboxes=INBOXES)
    stream = client.jetstream(timeout=STREAM_SECONDS)
    upkeep = Upkeep(
        client=client,
        stream=stream,
        settings=settings,
        subscriptions=subscriptions,
        schedules=schedules,
        stopping=stopping,
    )
    await upkeep.start()
    runner = web.AppRunner(make_app(client, stream, settings, upkeep.measure), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, settings.bind, settings.port).start()
    log.info("delivering", functions=[subscription.function for subscription in subscriptions])
    connections = aiohttp.TCPConnector(limit=0, socket_factory=watched_socket)
    async with aiohttp.ClientSession(connector=connections) as session, asyncio.TaskGroup() as group:
        for subscription in subscriptions:
            delivery = Delivery(
                subscription=subscription,
                settings=settings,
                stream=stream,
                session=session,
                stopping=stopping,
                missing=upkeep.missing,
            )
            group.create_task(delivery.run())
        group.create_task(upkeep.run())
    await runner.cleanup()
    if client.is_closed:
        sys.exit("connector: the connection to the stream was closed")
    await client.flush()
    await client.close()
    log.info("stopped")


def main() -> None:
    """Read the settings and run."""
    configure_logs()
    try:
        settings = load_settings(ConnectorSettings)
        stack = read_stack(settings.stack_file, os.environ)
        subscriptions, schedules = subscriptions_of(stack), schedules_of(stack)
        for subject in [*(each.topic for each in subscriptions), *(each.subject for each in schedules)]:
            stream_of(subject)
    except (InvalidSettings, InvalidStack, UnknownSubject) as error:
        sys.exit(f"connector: {error}")
    asyncio.run(run(settings, subscriptions, schedules))


if __name__ == "__main__":
    main()
