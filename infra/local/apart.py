"""Work that is done in a process of its own, so that the libraries it needs are gone from memory when it ends."""

import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection

from infra.errors import InfraError, PlatformError
from infra.local.interrupts import ENDING


def apart(work: Callable[[], object]) -> None:
    """Do it in a fork of this process, and return when it is done; whatever interrupts the wait ends it as well.

    Raises:
        PlatformError: it can't be done, and this is why.
    """
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(work, sender))
    process.start()
    sender.close()
    try:
        error = receiver.recv()
    except EOFError:
        error = "A part of the start ended without a word."
    finally:
        process.kill()
        process.join()
    if error:
        raise PlatformError(error)


def _report(work: Callable[[], object], sender: Connection) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    try:
        work()
    except InfraError as error:
        sender.send(str(error))
    else:
        sender.send("")
