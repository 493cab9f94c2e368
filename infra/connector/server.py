"""The connector's own address: health, metrics, and the webhook of the object store."""

import hmac
import json
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from countermark.jobs.messages import OBJECTS_CREATED, subject
from countermark.servers.notifications import created_record
from countermark.servers.stream import SECONDS_TO_CONFIRM
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from prometheus_client import generate_latest

from infra.connector.metrics import WEBHOOKS
from infra.connector.settings import ConnectorSettings
from infra.connector.webhook import read_notification

log = structlog.get_logger()


def make_app(
    client: Client, stream: JetStreamContext, settings: ConnectorSettings, measure: Callable[[], Awaitable[None]]
) -> web.Application:
    """The web application; ``measure`` brings the metrics of what waits up to date."""

    async def healthz(_request: web.Request) -> web.Response:
        if client.is_connected:
            return web.json_response({"stream": "connected"})
        return web.json_response({"stream": "away"}, status=503)

    async def metrics(_request: web.Request) -> web.Response:
        await measure()
        return web.Response(body=generate_latest(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def webhook(request: web.Request) -> web.Response:
        if not _may(request, settings):
            WEBHOOKS.labels("forbidden").inc()
            return web.Response(status=403)
        try:
            created = read_notification(await request.read())
        except ValueError as error:
            WEBHOOKS.labels("unreadable").inc()
            log.warning("unreadable notification", cause=str(error)[:500])
            return web.Response(status=400)
        if created is None:
            WEBHOOKS.labels("ignored").inc()
            return web.Response(status=204)
        try:
            data = json.dumps(created_record(created)).encode()
            await stream.publish(subject(OBJECTS_CREATED, created.bucket), data, timeout=SECONDS_TO_CONFIRM)
        except (NatsError, OSError) as error:
            WEBHOOKS.labels("lost").inc()
            log.warning("notification not published", cause=str(error))
            return web.Response(status=503)
        WEBHOOKS.labels("published").inc()
        return web.Response(status=204)

    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.add_routes([web.get("/healthz", healthz), web.get("/metrics", metrics), web.post("/webhook", webhook)])
    return app


def _may(request: web.Request, settings: ConnectorSettings) -> bool:
    if not settings.webhook_token:
        return False
    expected = f"Bearer {settings.webhook_token.get_secret_value()}"
    shown = request.headers.get("Authorization", "").encode(errors="surrogateescape")  # the bytes that came
    return hmac.compare_digest(shown, expected.encode())
