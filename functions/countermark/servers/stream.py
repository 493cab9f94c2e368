"""The connection to the message stream, for whoever publishes or delivers."""

import nats
import structlog
from nats.aio.client import Client

log = structlog.get_logger()

SECONDS_TO_CONNECT = 2
SECONDS_BETWEEN_PINGS = 5
"""A server that is lost without a word is left after two pings without an answer; by default that takes minutes."""


async def connect_stream(addresses: str, inboxes: bytes = b"_INBOX") -> Client:
    """Connect to one of the servers; when it is lost, the connection goes on with another, or with it when it is back.

    Args:
        addresses: ``nats://user:password@host:4222``, or several of them with commas in between.
        inboxes: the prefix of the subjects that answers come to.
    """
    return await nats.connect(
        addresses.split(","),
        inbox_prefix=inboxes,
        connect_timeout=SECONDS_TO_CONNECT,
        ping_interval=SECONDS_BETWEEN_PINGS,
        max_outstanding_pings=2,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.5,
        error_cb=_log_error,
    )


async def _log_error(error: Exception) -> None:
    log.warning("stream connection", error=str(error) or type(error).__name__)
