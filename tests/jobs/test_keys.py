"""Keys that stores take, whatever a folder is called."""

import pytest
from countermark.jobs.keys import LONGEST_FOLDER, direct_image, direct_key, view_archive, view_prefix


@pytest.mark.parametrize("letter", ["a", "ж", "日", "🌄"])
def test_the_visible_tree_of_a_folder_with_a_very_long_name_has_a_short_one_of_its_own(letter: str) -> None:
    folder = letter * 300
    prefix, other = view_prefix(folder), view_prefix(folder + "x")
    shown = prefix.removeprefix("drop/").removesuffix("/")
    assert prefix == f"drop/{shown}/"
    assert shown.startswith(letter * 50)
    assert len(shown.encode()) <= 255
    assert prefix != other
    assert view_archive(folder) == f"drop/{shown}.zip"


def test_a_name_that_is_not_too_long_is_kept() -> None:
    folder = "a" * LONGEST_FOLDER
    assert (view_prefix(folder), view_archive(folder)) == (f"drop/{folder}/", f"drop/{folder}.zip")
    assert (view_prefix(""), view_archive("")) == ("drop/", "drop.zip")


def test_what_came_by_a_link_is_known_by_its_key() -> None:
    assert direct_image(direct_key("job", 999_999_999)) == ("job", 999_999_999)
    for key in ("posted/job/1", "direct/job", "direct//1", "direct/job/x", "direct/job/1/2", "direct/job/1000000000"):
        assert direct_image(key) is None
