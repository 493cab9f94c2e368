"""The outbox: a message is a row in the transaction of the change that asks for it, and is sent after the commit.

A process that dies in between leaves the row, and the sweep sends it.
"""

from typing import Any

import structlog

from countermark.http.problems import Unavailable
from countermark.services import Services

log = structlog.get_logger()

OVERDUE_SECONDS = 5
"""After so long the process that wrote a row has not sent it."""


def send(own: Services, messages: list[dict[str, Any]]) -> None:
    """Send messages that a step has written, and take them out of the outbox.

    A stream that does not answer is no error here: the rows stay, and the sweep sends them.
    """
    if not messages:
        return
    try:
        confirmed = own.publisher.publish_all([(message["subject"], message["data"]) for message in messages])
    except Unavailable as error:
        log.warning("messages are left to the sweep", count=len(messages), why=error.detail)
        return
    sent = [message["id"] for message, is_confirmed in zip(messages, confirmed, strict=True) if is_confirmed]
    own.database.rows("DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))", ids=sent)


def send_overdue(own: Services) -> int:
    """Send what nobody has sent. Returns how many messages there were.

    Raises:
        Unavailable: the database does not answer.
    """
    rows = own.database.rows(
        "SELECT id, subject, data FROM outbox WHERE created_at < clock_timestamp() - make_interval(secs => :seconds)"
        " ORDER BY id LIMIT 10000",
        seconds=OVERDUE_SECONDS,
    )
    send(own, [{"id": number, "subject": subject, "data": data} for number, subject, data in rows])
    return len(rows)
