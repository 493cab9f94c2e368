"""The subjects of the stream."""

import pytest
from countermark.jobs.messages import IMAGES_WAITING, JOBS_EXPIRED, RECONCILE_SWEEP, subject


def test_a_subject_says_what_the_message_is_about() -> None:
    assert subject(IMAGES_WAITING, "j-1_x", 7, 0) == "images.waiting.j-1_x.7.0"
    assert subject(JOBS_EXPIRED, "j") == "jobs.expired.j"
    assert subject(RECONCILE_SWEEP) == "reconcile.sweep"


@pytest.mark.parametrize("part", ["", "a.b", "a b", "*", ">", "a\n", "\t", "a\x00"])
def test_a_part_is_one_word(part: str) -> None:
    with pytest.raises(ValueError, match="part of a subject"):
        subject(IMAGES_WAITING, part, 1, 0)
