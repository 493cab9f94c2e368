"""The names that the database gives in a job, so that its ZIP can be unpacked on any system."""

import re
import unicodedata

import pytest
from countermark.jobs import opening
from countermark.jobs.opening import NewImage
from countermark.names import IGNORED, MAX_PATH_BYTES, clean_name, fold
from countermark.services import Services
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def given_names(own: Services, names: list[str]) -> list[str]:
    """The names that a job gives to images of these names, in their order."""
    job = opening.new_job()
    images = [NewImage(number=number, name=name, key=f"k/{number}") for number, name in enumerate(names, 1)]
    opening.open_job(own, job, "address:192.0.2.1", {}, images)
    rows = own.database.rows(
        "SELECT result_name, folded_name FROM images WHERE job_id = :job ORDER BY number", job=job.id
    )
    for name, folded in rows:
        assert folded == fold(name)
    return [name for name, _ in rows]


def test_equal_names_are_numbered(own: Services) -> None:
    names = ["a.jpg", "a.jpg", "A.JPG", "day/a.jpg", "a (2).jpg", "noextension", "noextension", "REPORT.json"]
    assert given_names(own, names) == [
        "a.jpg",
        "a (2).jpg",
        "A (3).JPG",
        "day/a.jpg",
        "a (2) (2).jpg",
        "noextension",
        "noextension (2)",
        "REPORT (2).json",
    ]


def test_a_file_and_a_folder_of_one_name_are_told_apart(own: Services) -> None:
    names = ["a.jpg", "A.JPG/b.jpg", "a.jpg/b.jpg", "x/y/1", "x/Y", "X"]
    assert given_names(own, names) == [
        "a.jpg",
        "_A.JPG_b.jpg",
        "_a.jpg_b (2).jpg",
        "x/y/1",
        "x/Y (2)",
        "X (2)",
    ]


def test_a_path_that_becomes_a_name_is_one_of_its_own(own: Services) -> None:
    """What can't be seen counts for the length of a name, and not for its fold."""
    end = "1" * 20 + "\u200d" + "2" * 29 + ".jpg"
    assert given_names(own, ["a", f"a/P{end}", f"a/Q{end}"]) == [
        "a",
        f"_{end}",
        f"_{end.removesuffix('.jpg')} (2).jpg",
    ]


def test_nothing_lies_below_the_report_of_the_zip(own: Services) -> None:
    assert given_names(own, ["report.json/a.jpg", "Report.JSON/a/b.jpg", "x/report.json/a.jpg"]) == [
        "_report.json_a.jpg",
        "_Report.JSON_a_b.jpg",
        "x/report.json/a.jpg",
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["a.jpg"] * 10_000,
        [f"a ({number}).jpg" for number in range(2, 5_002)] + ["a.jpg"] * 5_000,
        ["a.jpg"] + [f"a ({number}).jpg" for number in range(5_000, 1, -1)] * 2,
        ["x" * 251 + ".jpg"] * 10_000,
        ["x" * 240 + f"{number % 100:011}" + ".jpg" for number in range(10_000)],
        ["a.jpg", *["a.jpg/b.jpg"] * 10_000],
        ["a", *[f"a/{number}" for number in range(10_000)]],
    ],
    ids=["equal", "numbers first", "numbers backwards", "long", "long and alike", "folder", "in a folder"],
)
def test_ten_thousand_names_take_a_moment(own: Services, names: list[str]) -> None:
    """One that took all others' time for each would take longer than the database's connection waits."""
    unique = given_names(own, names)
    assert len({fold(name) for name in unique}) == len(names)


class Disk:
    """A file system that has no regard to case, normalization or what can't be seen: what is in which folder."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, ...], str] = {}

    def write(self, path: str) -> None:
        """Make a file and its folders."""
        parts = tuple(
            unicodedata.normalize("NFD", unicodedata.normalize("NFD", IGNORED.sub("", part)).casefold())
            for part in path.split("/")
        )
        for end in range(1, len(parts)):
            assert self._kinds.setdefault(parts[:end], "folder") == "folder", path
        assert parts not in self._kinds, path
        self._kinds[parts] = "file"


WORDS = st.sampled_from(
    [
        *(
            "a",
            "A",
            ".jpg",
            ".JPG",
            " (2)",
            " (3)",
            "/",
            "/",
            "_",
            "é",
            "e\u0301",
            "\u0338",
            "ß",
            "ss",
            "\u1fb7",
            "\u200d",
        ),
        *("❤\ufe0f", "x" * 240, "1" * 20 + "\u200d" + "2" * 29, "report.json", "Report.JSON/"),
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=5).map("".join).map(clean_name), max_size=30))
def test_all_names_can_be_unpacked_anywhere(own: Services, names: list[str]) -> None:
    unique = given_names(own, names)
    disk = Disk()
    for name in ["report.json", *unique]:
        disk.write(name)
        assert clean_name(name) == name
        assert len(name.encode()) <= MAX_PATH_BYTES
    assert unique[:1] == names[:1] or fold(names[0]).startswith("report.json")
    for name, got in zip(names, unique, strict=True):
        assert got.lower().endswith(".jpg") or not re.search(r"[^/]\.jpg$", name.lower())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=3), unique=True))
def test_names_that_are_unique_stay_as_they_are(own: Services, names: list[str]) -> None:
    assert given_names(own, names) == names
