"""A call that does not answer is made again before it is given up, for the copy that got it may be gone.

A host that loses its network or its power says no word: what it was asked hangs until a time limit ends it, and the
proxies between the connector and a function have limits of their own. To handle a message twice changes nothing, so
asking another copy costs little, and whoever waits for the job does not wait for the limit.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


async def first_answer(
    call: Callable[[], Coroutine[Any, Any, Answer]], *, patience: float | None, made_again: Callable[[], object]
) -> Answer:
    """The first answer of calls of which each next one is made when the others have not answered for a while.

    Args:
        patience: seconds until the second call; each further one comes after twice the time. None: there is one call.
        made_again: told of each call but the first.

    Raises:
        Exception: what the first call to end has raised.
    """
    calls = {asyncio.ensure_future(call())}
    try:
        while not (ended := (await asyncio.wait(calls, timeout=patience, return_when=asyncio.FIRST_COMPLETED))[0]):
            made_again()
            calls.add(asyncio.ensure_future(call()))
            patience = patience and patience * 2
        return ended.pop().result()
    finally:
        for each in calls:
            each.cancel()
