"""The sweep: what the rows say should have happened, is made to happen.

All of it may run at any time, twice, or at once in two places.
"""

import structlog
from countermark.http.problems import Unavailable
from countermark.jobs import sweeping
from countermark.jobs.sweeping import alone
from countermark.services import Services

from .store import compare_store

log = structlog.get_logger()


def sweep(own: Services) -> None:
    """Look at the rows, and now and then at the store.

    Raises:
        Unavailable: a server is away; the next sweep goes on.
    """
    sweeping.begin(own)
    counts = {
        "leases": alone(sweeping.take_back_leases, own),
        "settled": alone(sweeping.settle_jobs, own),
        "expired": alone(sweeping.expire_jobs, own),
        "sent": alone(sweeping.resend, own),
    }
    alone(sweeping.purge, own)
    try:
        counts |= alone(compare_store, own) or {}
    except Unavailable as problem:
        log.warning("the store was not compared", why=problem.detail)
    if any(counts.values()):
        log.info("swept", **{name: count for name, count in counts.items() if count})
