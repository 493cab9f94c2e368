"""A call that hangs is made again, and the first answer counts."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from infra.connector.patience import first_answer

FOREVER = 60.0


def calls_that_take(*seconds: float) -> tuple[Callable[[], Coroutine[Any, Any, int]], list[str]]:
    """A call that takes these times, one after the other, and answers with its number; and what became of them."""
    times, story = iter(enumerate(seconds, 1)), list[str]()

    async def call() -> int:
        number, wait = next(times)
        try:
            await asyncio.sleep(wait)
        except asyncio.CancelledError:
            story.append(f"{number} cancelled")
            raise
        if number == 3:
            raise OSError("no answer")
        return number

    return call, story


def ask(call: Callable[[], Coroutine[Any, Any, int]], patience: float | None) -> tuple[int, int]:
    """The answer, and how often the call was made again."""
    again: list[None] = []

    async def run() -> int:
        answer = await first_answer(call, patience=patience, made_again=lambda: again.append(None))
        await asyncio.sleep(0)  # for those that were cancelled
        return answer

    return asyncio.run(run()), len(again)


def test_a_call_that_answers_in_time_is_made_once() -> None:
    call, story = calls_that_take(0.05)
    assert ask(call, 0.2) == (1, 0)
    assert story == []


def test_a_call_that_hangs_is_made_again_and_dropped_when_that_answers() -> None:
    call, story = calls_that_take(FOREVER, 0.05)
    assert ask(call, 0.1) == (2, 1)
    assert story == ["1 cancelled"]


def test_a_slow_call_may_still_answer_first() -> None:
    call, story = calls_that_take(0.2, FOREVER)
    assert ask(call, 0.1) == (1, 1)
    assert story == ["2 cancelled"]


def test_each_further_call_comes_after_twice_the_time_and_what_ends_first_counts() -> None:
    call, _ = calls_that_take(FOREVER, FOREVER, 0)
    started = time.monotonic()
    with pytest.raises(OSError, match="no answer"):
        ask(call, 0.1)
    assert time.monotonic() - started == pytest.approx(0.3, abs=0.15)


def test_without_patience_there_is_one_call() -> None:
    call, _ = calls_that_take(0.3, 0)
    assert ask(call, None) == (1, 0)
