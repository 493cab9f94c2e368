"""ZIPs are unpacked behind limits, with the names that people gave."""

import io
import zipfile

import pytest
from countermark.http.problems import TooMany

from functions.upload.unzip import BrokenZip, entries


def packed(*names: str) -> io.BytesIO:
    """A ZIP with a file of each name that holds its name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return file


def test_folders_are_kept_and_leftovers_left_out() -> None:
    file = packed("day1/a.jpg", "empty/", "__MACOSX/day1/._a.jpg", "day1/.DS_Store", "Thumbs.db", "ночь.jpg")
    seen = [(entry.name, entry.file.read().decode()) for entry in entries(file, limit=2) if entry.file]
    assert seen == [("day1/a.jpg", "day1/a.jpg"), ("ночь.jpg", "ночь.jpg")]


@pytest.mark.parametrize("encoding", ["utf-8", "cp866"])
def test_russian_names_without_the_utf8_flag_are_read(encoding: str) -> None:
    name = "Ночь на море.jpg"
    stand_in = "x" * len(name.encode(encoding))
    raw = packed(stand_in).getvalue().replace(stand_in.encode(), name.encode(encoding))
    assert [entry.name for entry in entries(io.BytesIO(raw), limit=1)] == [name]


def test_an_entry_that_points_outside_is_kept_for_its_name_to_be_cleaned() -> None:
    assert [entry.name for entry in entries(packed("../a.jpg", "./b.jpg"), limit=2)] == ["../a.jpg", "./b.jpg"]


def test_too_many_files_are_refused_before_one_is_read() -> None:
    with pytest.raises(TooMany, match="has 3 files"):
        list(entries(packed("a", "b", "c"), limit=2))


def test_an_entry_with_a_password_is_told() -> None:
    raw = bytearray(packed("a.jpg").getvalue())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (entry,) = entries(io.BytesIO(bytes(raw)), limit=1)
    assert entry.file is None
    assert "password" in entry.wrong


def test_what_is_no_zip_is_told() -> None:
    with pytest.raises(BrokenZip):
        list(entries(io.BytesIO(b"PK\x03\x04 and then nothing"), limit=1))
