"""The signals that end the platform, and that are heard at any moment."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_TO_REPEAT = 3.0


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread; afterwards they do nothing.

    Python drops what a signal's handler raises while it imports a module or deletes an object ("Exception ignored
    in ..."), so the interrupt is raised again until somebody has heard it.
    """
    for number in (*ENDING, signal.SIGALRM):
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        deaf()


def deaf() -> None:
    """From here on those signals do nothing: to be told once is enough."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (*ENDING, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_REPEAT)
    raise KeyboardInterrupt
