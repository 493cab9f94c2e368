"""reconcile: finds what a lost message, a crash or an outage would leave behind, and lets jobs go on in time.

message reconcile.sweep   on a schedule of the stream, every few seconds
"""

from typing import Any

from countermark.http.calls import DONE, Event, is_message
from countermark.http.problems import WrongMethod
from countermark.jobs.messages import RECONCILE_SWEEP
from countermark.services import services

from .sweep import sweep


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Answer a message."""
    if not is_message(event, RECONCILE_SWEEP):
        raise WrongMethod("The sweep runs on a schedule; nobody needs to call this.")
    sweep(services())
    return DONE
