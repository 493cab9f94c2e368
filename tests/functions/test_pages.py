"""Numbers, reasons and times as people read them."""

import pytest

from functions.status.pages import Words

MEGA = 1 << 20


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "1 kB"),
        (1024, "1 kB"),
        (1535 * 1024 // 100, "15 kB"),
        (MEGA - 1, "1,024 kB"),
        (MEGA, "1 MB"),
        (34 * MEGA + 200_000, "34.2 MB"),
        (100 * MEGA, "100 MB"),
        (100 * MEGA + 300_000, "100 MB"),
        (1024 * MEGA, "1 GB"),
        (1536 * MEGA, "1.5 GB"),
    ],
)
def test_a_size_has_as_many_digits_as_people_want(count: int, shown: str) -> None:
    assert Words("en").size(count) == shown


def test_a_size_is_written_as_the_language_does() -> None:
    assert Words("ru").size(34 * MEGA + 200_000) == "34,2 МБ"


def test_a_reason_is_in_the_persons_language_or_as_the_server_says_it() -> None:
    image = {"code": "not_uploaded", "reason": "said by the server"}
    assert Words("en").reason(image) == "said by the server"
    assert Words("ru").reason(image) == "Файл не был отправлен."
    assert Words("ru").reason(image | {"code": "of_a_task"}) == "said by the server"
    assert Words("ru").reason({"code": "of_a_task", "reason": None}) == "of_a_task"


def test_a_time_is_one_of_utc_that_a_script_can_read() -> None:
    moment = "2026-11-27T15:30:00+03:00"
    assert str(Words("en").time(moment)) == f'<time datetime="{moment}">12:30 UTC</time>'
