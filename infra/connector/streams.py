"""The streams and consumers that the flow stands on, made or brought up to date at every start."""

from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from infra.connector.settings import ConnectorSettings
from infra.connector.stack import Schedule, Subscription

STREAM = "COUNTERMARK"
DEAD_LETTERS = "DEAD_LETTERS"
SUBJECTS = ["objects.created.>", "jobs.>", "reconcile.>", "schedules.>"]
DAY = 24 * 3600.0
DEDUPLICATION_SECONDS = 3600.0
"""The reconciliation sends what may be lost again with the same id; the stream drops what it had within this time."""


async def ensure_streams(stream: JetStreamContext, settings: ConnectorSettings) -> None:
    """Make the stream of messages, each of which is kept until its function has answered, and the dead letters'."""
    await _ensure_stream(
        stream,
        StreamConfig(
            name=STREAM,
            subjects=SUBJECTS,
            retention=RetentionPolicy.WORK_QUEUE,
            max_age=7 * DAY,
            duplicate_window=DEDUPLICATION_SECONDS,
            num_replicas=settings.stream_replicas,
            allow_msg_schedules=True,
            allow_msg_ttl=True,
        ),
    )
    await _ensure_stream(
        stream,
        StreamConfig(name=DEAD_LETTERS, subjects=["dead.>"], max_age=30 * DAY, num_replicas=settings.stream_replicas),
    )


async def _ensure_stream(stream: JetStreamContext, config: StreamConfig) -> None:
    assert config.name is not None  # noqa: S101 -- both are named above
    try:
        await stream.stream_info(config.name)
    except NotFoundError:
        await stream.add_stream(config)
    else:
        await stream.update_stream(config)


async def ensure_consumer(stream: JetStreamContext, subscription: Subscription, settings: ConnectorSettings) -> None:
    """Make the durable consumer of a function.

    It delivers without end, and the connector counts: past a consumer's own ``max_deliver`` a message would stay in the
    stream where neither a consumer nor its lag shows it.
    """
    await stream.add_consumer(
        STREAM,
        ConsumerConfig(
            durable_name=subscription.function,
            filter_subject=subscription.topic,
            ack_wait=settings.ack_wait,
            max_deliver=-1,
            max_ack_pending=max(1000, subscription.concurrency),
        ),
    )


async def ensure_schedule(stream: JetStreamContext, schedule: Schedule) -> None:
    """Let the stream publish a message again and again, the first one now; an older schedule for it is replaced."""
    headers = {"Nats-Schedule": schedule.every, "Nats-Schedule-Target": schedule.subject}
    await stream.publish(f"schedules.{schedule.subject}", b"{}", headers=headers)
    await stream.publish(schedule.subject, b"{}")
