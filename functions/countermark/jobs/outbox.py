"""The outbox: a message is a row in the transaction of the change that asks for it, and is sent after the commit.

Whoever takes what it asks for takes the row out, in the transaction in which he takes it. What a process that died has
not sent, or nobody takes for some time, the sweep sends.
"""

from typing import Any

import structlog

from countermark.http.problems import Unavailable
from countermark.services import Services

log = structlog.get_logger()

OVERDUE_SECONDS = 5
"""After so long nobody has taken what a row asks for: perhaps it was not sent."""


def send(own: Services, messages: list[dict[str, Any]]) -> list[int]:
    """Send messages that a step has written.

    A stream that does not answer is no error here: the rows stay, and the sweep sends them.

    Returns:
        the rows whose messages the stream has.
    """
    if not messages:
        return []
    try:
        confirmed = own.publisher.publish_all([(message["subject"], message["data"]) for message in messages])
    except Unavailable as error:
        log.warning("messages are left to the sweep", count=len(messages), why=error.detail)
        return []
    return [message["id"] for message, is_confirmed in zip(messages, confirmed, strict=True) if is_confirmed]


def send_overdue(own: Services) -> int:
    """Send what nobody has taken, and take out what the stream has. Returns how many messages there were.

    Raises:
        Unavailable: the database does not answer.
    """
    rows = own.database.rows(
        "SELECT id, subject, data FROM outbox WHERE created_at < clock_timestamp() - make_interval(secs => :seconds)"
        " ORDER BY id LIMIT 10000",
        seconds=OVERDUE_SECONDS,
    )
    send_again(own, [{"id": number, "subject": subject, "data": data} for number, subject, data in rows])
    return len(rows)


def send_again(own: Services, messages: list[dict[str, Any]]) -> None:
    """Send messages, and take out at once those that the stream has: who would take them may be past it."""
    sent = send(own, messages)
    if sent:
        own.database.rows("DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))", ids=sent)
