"""What an answer means for the message, as a table."""

from itertools import takewhile

import pytest

from infra.connector.verdict import PROBLEM, SECONDS_IN_ALL, Verdict, is_over, judge, pause

OTHERS = ["", "text/plain", "text/html", "application/json"]


@pytest.mark.parametrize("media_type", ["", "text/plain", PROBLEM])
@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_2xx_is_done(status: int, media_type: str) -> None:
    assert judge(status, media_type) is Verdict.DONE


@pytest.mark.parametrize("status", [400, 404, 409, 410, 413, 415, 422, 499])
def test_a_function_that_refuses_a_message_ends_it(status: int) -> None:
    assert judge(status, PROBLEM) is Verdict.DEAD


def test_an_error_of_a_function_is_tried_again() -> None:
    assert judge(500, PROBLEM) is Verdict.RETRY


@pytest.mark.parametrize(
    ("status", "media_type"),
    [
        (429, PROBLEM),
        (501, PROBLEM),
        (502, PROBLEM),
        (503, PROBLEM),
        (504, PROBLEM),
        (301, PROBLEM),
        (199, PROBLEM),
        *((status, each) for status in (300, 301, 400, 404, 413, 422, 429, 500, 502, 503, 504) for each in OTHERS),
    ],
)
def test_whatever_else_is_answered_holds_a_message(status: int, media_type: str) -> None:
    assert judge(status, media_type) is Verdict.HOLD


def test_no_answer_holds_a_message() -> None:
    assert judge(None) is Verdict.HOLD


@pytest.mark.parametrize(
    ("verdict", "pauses"),
    [(Verdict.RETRY, [1, 2, 4, 8, 10, 10]), (Verdict.HOLD, [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])],
)
def test_pauses_grow_to_ten_seconds(verdict: Verdict, pauses: list[float]) -> None:
    assert [pause(verdict, delivery + 1) for delivery in range(len(pauses))] == pytest.approx(pauses)
    assert pause(verdict, 10**9) == 10


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.HOLD])
def test_it_ends_after_ten_minutes_of_pauses(verdict: Verdict) -> None:
    deliveries = list(takewhile(lambda delivery: not is_over(verdict, delivery), range(1, 1000)))
    paused = sum(pause(verdict, delivery) for delivery in deliveries)
    assert SECONDS_IN_ALL <= paused < SECONDS_IN_ALL + 10
    assert is_over(verdict, 10**9)


@pytest.mark.parametrize("took", [0.0, 0.5, 45.0, 135.0, 615.0])
def test_a_held_message_has_its_place_for_ten_minutes_however_long_its_calls_take(took: float) -> None:
    deliveries = list(takewhile(lambda delivery: not is_over(Verdict.HOLD, delivery, took), range(1, 1000)))
    held = sum(took + pause(Verdict.HOLD, delivery) for delivery in deliveries)
    assert SECONDS_IN_ALL <= held < SECONDS_IN_ALL + took + 10


def test_a_function_that_fails_after_long_work_has_its_attempts() -> None:
    assert not is_over(Verdict.RETRY, 6, 120.0)
