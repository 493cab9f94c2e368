"""reconcile: finds what a lost message, a crash or an outage would leave behind, and lets jobs go on in time.

message reconcile.sweep   on a schedule of the stream, every few seconds
"""

from typing import Any

from countermark.http.calls import DONE, Event, message_kind
from countermark.http.problems import WrongMethod
from countermark.services import services

from .sweep import sweep


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a message."""
    if not message_kind(event):
        raise WrongMethod("The sweep runs on a schedule; nobody needs to call this.")
    sweep(services())
    return DONE
