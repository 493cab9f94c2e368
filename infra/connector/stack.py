"""What stack.yml says about messages: which function gets which, and what is published on a schedule."""

from dataclasses import dataclass

from infra.stack import Stack


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A function that gets the messages of a subject."""

    function: str
    topic: str
    concurrency: int
    """Messages in flight to all copies of the function together."""
    seconds: float
    """The time that one call may take."""
    leases: bool = False
    """Whether the function knows by a lease what is being worked on, so that a message may come twice at once."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A message that is published again and again."""

    every: str
    """As NATS takes it: ``@every 30s``, or six cron fields."""
    subject: str


def subscriptions_of(stack: Stack) -> list[Subscription]:
    """Every function that gets messages."""
    return [
        Subscription(
            function=name,
            topic=function.topic,
            concurrency=function.concurrency,
            seconds=function.exec_seconds,
            leases=function.leases,
        )
        for name, function in stack.functions.items()
        if function.topic
    ]


def schedules_of(stack: Stack) -> list[Schedule]:
    """Everything that is published on a schedule."""
    return [
        Schedule(every=function.schedule, subject=function.schedule_topic)
        for function in stack.functions.values()
        if function.schedule and function.schedule_topic
    ]
