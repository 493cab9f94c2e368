"""File names: kept as people gave them, never trusted as paths."""

import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from countermark.names import (
    MAX_PATH_BYTES,
    MAX_SEGMENT_BYTES,
    clean_name,
    fold,
    split_for_number,
    with_extension,
)
from hypothesis import example, given
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
        ("day/nul", "day/nul_"),
        ("com¹.tar.gz", "com¹_.tar.gz"),
        ("AUX .jpg", "AUX_ .jpg"),
        ("CONTRAST.jpg", "CONTRAST.jpg"),
        ("a.jpg. .", "a.jpg"),
        ("day. /a.jpg", "day/a.jpg"),
        ("10:20.jpg", "1020.jpg"),
        ("e\x01\u0301.png", "é.png"),
        ("a\ufffe\U0001ffff.png", "a.png"),
        ("CON" + " " * 300 + "x.jpg", "CON_.jpg"),
        ("\ud800.jpg", ".jpg"),
        ("", "image"),
        ("\u200d", "image"),
        ("\u200d \ufe0f/2", "2"),
        ("a/\u00ad/b\u200d.jpg", "a/b\u200d.jpg"),
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


PIECES = [
    "/",
    "\\",
    ".",
    " ",
    "CON",
    "com1",
    "a",
    "ß",
    "e\u0301",
    "\u0338",
    "<",
    ":",
    "\x00",
    "\ufeff",
    "д" * 90,
    "\ud800",
]
ANY_NAMES = st.text(max_size=400) | st.lists(st.sampled_from(PIECES)).map("".join)


@given(ANY_NAMES)
def test_no_name_leaves_its_folder_or_is_refused_by_a_system(raw: str) -> None:
    clean = clean_name(raw)
    parts = clean.split("/")
    assert clean
    assert len(clean.encode()) <= MAX_PATH_BYTES
    assert unicodedata.is_normalized("NFC", clean)
    for part in parts:
        assert part.strip() not in {"", ".", ".."}
        assert len(part.encode()) <= MAX_SEGMENT_BYTES
        assert not set(part) & set('<>:"|?*\\/')
        assert not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in part)
        assert part == part.rstrip(" .")
        assert not PureWindowsPath(part).is_reserved()
    assert clean_name(clean) == clean


@given(ANY_NAMES)
def test_a_clean_name_can_be_made_here(tmp_path_factory: pytest.TempPathFactory, raw: str) -> None:
    path = tmp_path_factory.mktemp("names") / clean_name(raw)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize("depth", [2, 5, 30, 400])
@pytest.mark.parametrize("folder", ["a", "длинное имя папки " * 20])
def test_a_long_path_is_cut_and_keeps_its_file(folder: str, depth: int) -> None:
    clean = clean_name(f"{folder}/" * depth + "ф" * 200 + ".jpeg")
    assert len(clean.encode()) <= MAX_PATH_BYTES
    assert clean.endswith("ф.jpeg")
    assert clean.startswith(folder[:7])
    assert clean_name(clean) == clean
    assert sum(len(part.encode()) for part in split_for_number(clean)) + len(" (9999999)") <= MAX_PATH_BYTES


def test_a_long_ending_is_no_extension() -> None:
    assert clean_name("a." + "x" * 300) == "a." + "x" * 253


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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("IMG_1.JPG", "img_1.jpg"),
        ("Straße", "STRASSE"),
        ("\u00e9", "e\u0301"),
        ("\u1e9e", "ss"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("a\u200db.jpg", "ab.jpg"),
        ("Ⅷ", "ⅷ"),
        ("\u212b", "å"),
    ],
)
def test_names_that_are_one_file_somewhere_have_one_fold(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("a.jpg", "a.jpeg"), ("й", "и"), ("e", "é"), ("1", "１")])
def test_other_names_have_others(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text())
@example("\u0345\u0301")
@example("\u1fb3\u0301")
@example("\u03a9\u0313\u0345")
def test_a_fold_is_that_of_all_its_forms(name: str) -> None:
    for form in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(form, name)) == fold(name)
    assert fold(fold(name)) == fold(name)


@given(ANY_NAMES.map(clean_name), st.integers(1, 9_999_999))
def test_a_number_keeps_a_name_clean(name: str, number: int) -> None:
    base, suffix = split_for_number(name)
    numbered = f"{base} ({number}){suffix}"
    assert clean_name(numbered) == numbered
    assert Path(numbered).suffix == suffix or not suffix
