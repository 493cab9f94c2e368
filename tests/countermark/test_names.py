"""File names: kept as people gave them, never trusted as paths."""

import pytest
from countermark.names import MAX_SEGMENT_BYTES, clean_name, unique_names, with_extension
from hypothesis import given
from hypothesis import strategies as st

KNOWN = (".jpg", ".jpeg", ".png", ".webp")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("photo.jpg", "photo.jpg"),
        ("day1/Ночь на море.JPG", "day1/Ночь на море.JPG"),
        ("🌄 dawn.png", "🌄 dawn.png"),
        ("../../etc/passwd", "etc/passwd"),
        ("/abs/olute.png", "abs/olute.png"),
        ("C:\\Users\\me\\a.png", "Users/me/a.png"),
        ("C:/a.png", "a.png"),
        ("a/./b/../c.png", "a/b/c.png"),
        ("a\x00b\n.png", "ab.png"),
        ("what?.png", "what.png"),
        ("CON.png", "CON_.png"),
        ("", "image"),
        ("..", "image"),
        ("noextension", "noextension"),
        ("e\u0301.png", "é.png"),
    ],
)
def test_a_name_is_kept_and_made_safe(raw: str, clean: str) -> None:
    assert clean_name(raw) == clean


def test_a_long_name_is_cut_and_keeps_its_extension() -> None:
    clean = clean_name("я" * 300 + ".jpeg")
    assert len(clean.encode()) <= MAX_SEGMENT_BYTES
    assert clean.endswith("я.jpeg")


def test_a_name_of_255_bytes_stays_whole() -> None:
    name = "x" * 251 + ".jpg"
    assert clean_name(name) == name


@given(st.text(max_size=400))
def test_no_name_leaves_its_folder(raw: str) -> None:
    clean = clean_name(raw)
    parts = clean.split("/")
    assert clean
    assert all(part not in {"", ".", ".."} and len(part.encode()) <= MAX_SEGMENT_BYTES for part in parts)
    assert "\\" not in clean
    assert not any(ord(letter) < 32 for letter in clean)
    assert clean_name(clean) == clean


@pytest.mark.parametrize(
    ("name", "extensions", "expected"),
    [
        ("a.jpg", (".jpg", ".jpeg"), "a.jpg"),
        ("a.JPEG", (".jpg", ".jpeg"), "a.JPEG"),
        ("a.png", (".jpg", ".jpeg"), "a.jpg"),
        ("a", (".jpg", ".jpeg"), "a.jpg"),
        ("v1.2", (".png",), "v1.2.png"),
        ("day.1/a", (".png",), "day.1/a.png"),
    ],
)
def test_a_result_has_the_extension_of_its_format(name: str, extensions: tuple[str, ...], expected: str) -> None:
    assert with_extension(name, extensions, KNOWN) == expected


def test_an_added_extension_has_room_in_a_long_name() -> None:
    assert len(with_extension("x" * 255, (".jpeg",), KNOWN).encode()) == MAX_SEGMENT_BYTES


def test_equal_names_are_numbered() -> None:
    names = ["a.jpg", "a.jpg", "A.JPG", "day/a.jpg", "a (2).jpg", "noextension", "noextension"]
    assert unique_names(names) == [
        "a.jpg",
        "a (2).jpg",
        "A (3).JPG",
        "day/a.jpg",
        "a (2) (2).jpg",
        "noextension",
        "noextension (2)",
    ]


@given(st.lists(st.text(alphabet="ab.()2 /", min_size=1, max_size=8).map(clean_name), max_size=40))
def test_unique_names_are_unique_whatever_comes(names: list[str]) -> None:
    unique = unique_names(names)
    assert len({name.casefold() for name in unique}) == len(names)
