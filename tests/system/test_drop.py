"""Files in the drop bucket come back marked in the results, without any call."""

import io
import json
import time
import uuid
from collections.abc import Callable

import pillow_heif
import pytest
from PIL import Image

from tests.client import Caller, is_marked, picture, report_of, unpack


@pytest.fixture
def folder() -> str:
    """A folder of the drop bucket that no other test uses."""
    return f"свадьба {uuid.uuid4().hex[:8]}"


def test_a_folder_of_images_comes_back_marked_and_then_as_one_zip(caller: Caller, folder: str) -> None:
    sent = {"photo.jpg": picture(), "day 1/Ночь+1.png": picture(kind="PNG"), "CAPS.JPG": picture((100, 100))}
    for name, data in sent.items():
        caller.drop(f"{folder}/{name}", data)
    for name, data in sent.items():
        assert is_marked(data, caller.result(f"{folder}/{name}"))
    files = unpack(caller.result(f"{folder}.zip"))
    assert set(files) == {*sent, "report.json"}


def test_what_is_no_image_is_told_in_the_report_and_leftovers_are_not(caller: Caller, folder: str) -> None:
    for name, data in {"a.jpg": picture(), "notes.txt": b"hello", ".DS_Store": b"x", "Thumbs.db": b"x"}.items():
        caller.drop(f"{folder}/{name}", data)
    report = report_of(unpack(caller.result(f"{folder}.zip")))
    assert {name: image["code"] for name, image in report["by_name"].items()} == {
        "a.jpg": None,
        "notes.txt": "not_an_image",
    }


def test_a_folders_settings_count_also_when_they_come_last(caller: Caller, folder: str) -> None:
    caller.drop(f"{folder}/a.jpg", picture((200, 100)))
    assert Image.open(as_file(caller.result(f"{folder}/a.jpg"))).size == (200, 100)
    tasks = {"tasks": [{"task": "resize", "width": 50, "height": 50}]}
    caller.drop(f"{folder}/countermark.json", json.dumps(tasks).encode())
    files = unpack(caller.result(f"{folder}.zip"))
    assert Image.open(as_file(files["a.jpg"])).size == (50, 25)


def test_wrong_settings_are_told(caller: Caller, folder: str) -> None:
    caller.drop(f"{folder}/countermark.json", b'{"tasks": [{"task": "paint"}]}')
    caller.drop(f"{folder}/a.jpg", picture())
    report = report_of(unpack(caller.result(f"{folder}.zip")))
    assert report["by_name"]["a.jpg"]["code"] == "invalid_options"
    assert "countermark.json" in report["by_name"]["a.jpg"]["reason"]


def test_a_file_that_is_dropped_again_replaces_its_copy_and_the_zip(caller: Caller, folder: str) -> None:
    caller.drop(f"{folder}/a.jpg", picture((60, 40)))
    caller.drop(f"{folder}/b.jpg", picture((60, 40)))
    assert Image.open(as_file(unpack(caller.result(f"{folder}.zip"))["a.jpg"])).size == (60, 40)
    caller.s3.delete_object(Bucket="drop", Key=f"{folder}/a.jpg")
    caller.drop(f"{folder}/a.jpg", picture((90, 70)))

    def size() -> tuple[int, int]:
        return Image.open(as_file(unpack(caller.result(f"{folder}.zip"))["a.jpg"])).size

    until(lambda: size() == (90, 70))
    assert set(unpack(caller.result(f"{folder}.zip"))) == {"a.jpg", "b.jpg", "report.json"}


def test_a_file_beside_the_folders_is_marked_as_well(caller: Caller) -> None:
    name = f"{uuid.uuid4().hex}.jpg"
    data = picture()
    caller.drop(name, data)
    assert is_marked(data, caller.result(name))


NFC, NFD = "Й.jpg", "И\u0306.jpg"
PAIRS: dict[str, tuple[tuple[str, str], tuple[str, str], dict[str, str]]] = {
    "no ending": (("a.jpg", "JPEG"), ("a", "JPEG"), {}),
    "HEIC and JPEG": (("IMG_1.HEIC", "HEIF"), ("IMG_1.jpg", "JPEG"), {}),
    "JPEG and HEIC": (("IMG_1.jpg", "JPEG"), ("IMG_1.HEIC", "HEIF"), {}),
    "heic and heif": (("IMG_1.heic", "HEIF"), ("IMG_1.heif", "HEIF"), {}),
    "one format for all": (("a.jpg", "JPEG"), ("a.png", "PNG"), {"format": "webp"}),
    "a sign that is taken off": (("10:20.jpg", "JPEG"), ("1020.jpg", "JPEG"), {}),
    "composed and decomposed": ((NFC, "JPEG"), (NFD, "JPEG"), {}),
    "case": (("a.jpg", "JPEG"), ("A.JPG", "JPEG"), {}),
}


@pytest.fixture(scope="module")
def folders(caller: Caller) -> dict[str, str]:
    """A folder for each pair, all of them dropped at once."""
    made = {pair: uuid.uuid4().hex for pair in PAIRS}
    for pair, folder in made.items():
        first, second, options = PAIRS[pair]
        caller.drop(f"{folder}/countermark.json", json.dumps(options).encode())
        for (name, kind), size in ((first, (60, 40)), (second, (90, 70))):
            caller.drop(f"{folder}/{name}", drawn(size, kind))
    return made


@pytest.mark.parametrize("pair", PAIRS)
def test_names_that_become_one_are_two_files(caller: Caller, folders: dict[str, str], pair: str) -> None:
    folder = folders[pair]
    until(lambda: len(unpack(caller.result(f"{folder}.zip"))) == 3)
    files = unpack(caller.result(f"{folder}.zip"))
    del files["report.json"]
    assert sorted(Image.open(as_file(data)).size for data in files.values()) == [(60, 40), (90, 70)]
    assert len({name.casefold() for name in files}) == 2
    until(lambda: caller.results(folder) == set(files))
    assert {name: caller.result(f"{folder}/{name}") for name in files} == files


def drawn(size: tuple[int, int], kind: str) -> bytes:
    """A small picture, also as phones store it."""
    if kind != "HEIF":
        return picture(size, kind=kind)
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", size, "#336699")).save(out)
    return out.getvalue()


def as_file(data: bytes) -> io.BytesIO:
    """Bytes to open."""
    return io.BytesIO(data)


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)
