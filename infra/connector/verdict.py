"""What becomes of a message, by what its function answered.

==========================================================  =====  ==============================================
answer                                                      means  the message
==========================================================  =====  ==============================================
2xx                                                         DONE   is done
4xx but 429, with our problem document                      DEAD   becomes a dead letter
500 with our problem document                               RETRY  comes again after 1, 2, 4 .. 10 seconds
anything else: 429, 502, a router's 404, none, a time-out   HOLD   comes again after 0.2, 0.4 .. 10 seconds
==========================================================  =====  ==============================================

Only a function writes our problem document (RFC 9457), so what the platform in between answers is never taken for the
function's word. Attempts are counted in the rows, not here; but after ten minutes it ends. What was tried is a dead
letter then, and what was held is let go: the sweep sends it again as long as the rows ask for it.
"""

from enum import StrEnum

PROBLEM = "application/problem+json"
LONGEST_PAUSE = 10.0
SECONDS_IN_ALL = 600.0
TOO_MANY_REQUESTS = 429


class Verdict(StrEnum):
    """What an answer means for the message."""

    DONE = "done"  #: It is handled.
    DEAD = "dead"  #: It can never be handled.
    RETRY = "retry"  #: The function failed, and may not next time.
    HOLD = "hold"  #: The function can't take it just now, or nobody knows.


FIRST_PAUSE = {Verdict.RETRY: 1.0, Verdict.HOLD: 0.2}


def judge(status: int | None, media_type: str = "") -> Verdict:
    """What an answer means.

    Args:
        status: of HTTP; None: there was no answer.
        media_type: of the answer, without its parameters.
    """
    if status is None:
        return Verdict.HOLD
    if 200 <= status < 300:
        return Verdict.DONE
    if media_type != PROBLEM or status == TOO_MANY_REQUESTS:
        return Verdict.HOLD
    if 400 <= status < 500:
        return Verdict.DEAD
    return Verdict.RETRY if status == 500 else Verdict.HOLD


def pause(verdict: Verdict, delivery: int) -> float:
    """Seconds until a message is delivered again.

    Args:
        verdict: RETRY or HOLD.
        delivery: the number of this delivery, from 1.
    """
    doublings = min(delivery - 1, 10)  # enough for the longest; the power of a large number takes long
    return float(min(FIRST_PAUSE[verdict] * 2**doublings, LONGEST_PAUSE))


def is_over(verdict: Verdict, delivery: int, seconds: float = 0.0) -> bool:
    """Whether a message has been delivered again and again for ten minutes, so that this delivery is the last.

    Args:
        verdict: RETRY or HOLD.
        delivery: its number, from 1.
        seconds: how long this call took; of a held message it is taken that those before it took as long. A function
            that fails after long work has attempts of its own, and they are counted in the rows.
    """
    before = min(delivery, 1000)
    calls = seconds * (before - 1) if verdict is Verdict.HOLD else 0.0
    return calls + sum(pause(verdict, each) for each in range(1, before)) >= SECONDS_IN_ALL
