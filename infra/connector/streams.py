"""The streams, consumers and schedules that the flow stands on.

::

    COUNTERMARK    images.> jobs.>          one message a subject: sent again while it is still there, it is refused
    SCHEDULES      schedules.> reconcile.>  the newest message of a subject: nothing piles up while nobody listens
    NOTIFICATIONS  objects.>                what object stores tell
    DEAD_LETTERS   dead.>                   what functions refused

All but the dead letters keep a message until its function has answered.
"""

from collections.abc import Awaitable, Callable

import structlog
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DiscardPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from infra.connector.settings import ConnectorSettings
from infra.connector.stack import Schedule, Subscription

log = structlog.get_logger()

COUNTERMARK = "COUNTERMARK"
SCHEDULES = "SCHEDULES"
NOTIFICATIONS = "NOTIFICATIONS"
DEAD_LETTERS = "DEAD_LETTERS"

STREAM_OF = {
    "images": COUNTERMARK,
    "jobs": COUNTERMARK,
    "schedules": SCHEDULES,
    "reconcile": SCHEDULES,
    "objects": NOTIFICATIONS,
    "dead": DEAD_LETTERS,
}
"""By the first part of a subject."""

DAY = 24 * 3600.0
LEAST_IN_FLIGHT = 1000
"""Messages that a function may have at a time, those that are held included."""


class UnknownSubject(Exception):
    """No stream has this subject."""


def stream_of(subject: str) -> str:
    """The name of the stream that has a subject.

    Raises:
        UnknownSubject: there is none.
    """
    try:
        return STREAM_OF[subject.split(".")[0]]
    except KeyError:
        raise UnknownSubject(f"{subject!r} is in no stream; a subject begins with {', '.join(STREAM_OF)}") from None


def stream_configs(settings: ConnectorSettings) -> dict[str, StreamConfig]:
    """How each stream is to be, by its name."""

    def config(name: str, **more: object) -> StreamConfig:
        subjects = [f"{first}.>" for first, stream in STREAM_OF.items() if stream == name]
        return StreamConfig(name=name, subjects=subjects, num_replicas=settings.stream_replicas).evolve(**more)

    queue = RetentionPolicy.WORK_QUEUE
    return {
        COUNTERMARK: config(
            COUNTERMARK,
            retention=queue,
            max_age=7 * DAY,
            max_msgs_per_subject=1,
            discard=DiscardPolicy.NEW,
            discard_new_per_subject=True,
        ),
        SCHEDULES: config(SCHEDULES, retention=queue, max_msgs_per_subject=1, allow_msg_schedules=True),
        NOTIFICATIONS: config(NOTIFICATIONS, retention=queue, max_age=7 * DAY),
        DEAD_LETTERS: config(DEAD_LETTERS, max_age=30 * DAY),
    }


async def update_stream(stream: JetStreamContext, config: StreamConfig) -> None:
    """Make a stream, or bring it to this shape.

    That of version 0.1.0 had everything in COUNTERMARK, also schedules, which can't be taken from a stream: it is made
    again. What it had are hints, and the rows say what to send.
    """
    name = config.name or ""
    try:
        known = (await stream.stream_info(name)).config
    except NotFoundError:
        await stream.add_stream(config)
        return
    if known.allow_msg_schedules and not config.allow_msg_schedules:
        log.info("stream of an older version, made again", stream=name)
        await stream.delete_stream(name)
        await stream.add_stream(config)
        return
    await stream.update_stream(config)


async def update_consumer(stream: JetStreamContext, subscription: Subscription, settings: ConnectorSettings) -> None:
    """Make the durable consumer of a function, or bring it to this shape.

    It delivers without end: past a consumer's own ``max_deliver`` a message would stay in the stream where neither a
    consumer nor its lag shows it.
    """
    await stream.add_consumer(
        stream_of(subscription.topic),
        ConsumerConfig(
            durable_name=subscription.function,
            filter_subject=subscription.topic,
            ack_wait=settings.ack_wait,
            max_deliver=-1,
            max_ack_pending=max(LEAST_IN_FLIGHT, subscription.concurrency),
        ),
    )


async def find_schedule(stream: JetStreamContext, schedule: Schedule) -> None:
    """Look for a schedule.

    Raises:
        NotFoundError: there is none.
    """
    await stream.get_last_msg(stream_of(schedule.subject), f"schedules.{schedule.subject}")


async def publish_schedule(stream: JetStreamContext, schedule: Schedule) -> None:
    """Let the stream publish a message again and again, the first one now; an older schedule for it is replaced."""
    headers = {"Nats-Schedule": schedule.every, "Nats-Schedule-Target": schedule.subject}
    await stream.publish(f"schedules.{schedule.subject}", b"{}", headers=headers)
    await stream.publish(schedule.subject, b"{}")


async def is_there(look: Callable[[], Awaitable[object]]) -> bool:
    """Whether what is looked for is in the stream's server."""
    try:
        await look()
    except NotFoundError:
        return False
    return True
