"""Work that is done in a process of its own, so that the libraries it needs are gone from memory when it ends."""

import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from infra.errors import InfraError, PlatformError
from infra.local.interrupts import ENDING

Answer = TypeVar("Answer")


def apart(work: Callable[[], Answer]) -> Answer:
    """Do it in a fork of this process, and return what came of it; whatever interrupts the wait ends it as well.

    Raises:
        PlatformError: it can't be done, and this is why.
    """
    error: str
    answer: Any
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(work, sender))
    process.start()
    sender.close()
    try:
        error, answer = receiver.recv()
    except EOFError:
        error, answer = "A part of the start ended without a word.", None
    finally:
        process.kill()
        process.join()
    if error:
        raise PlatformError(error)
    return answer  # type: ignore[no-any-return]


def _report(work: Callable[[], object], sender: Connection) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    try:
        answer = work()
    except InfraError as error:
        sender.send((str(error), None))
    else:
        sender.send(("", answer))
