"""Images in one request, and one ZIP of marked copies back."""

import io
import json
import zipfile

import httpx
import pytest
from PIL import Image

from tests.client import PHOTOGRAPHS, Caller, is_marked, picture, report_of


def test_photographs_come_back_marked_in_one_zip(caller: Caller) -> None:
    sent = {path.name: path.read_bytes() for path in PHOTOGRAPHS}
    job = caller.upload(sent.items())
    ended = caller.wait(job)
    files = caller.archive(job)
    assert (ended["state"], ended["done"], ended["failed"]) == ("ready", len(sent), 0)
    assert set(files) == {*sent, "report.json"}
    assert all(is_marked(data, files[name]) for name, data in sent.items())
    assert report_of(files)["done"] == len(sent)


def test_asking_again_is_cheap_while_nothing_changes(caller: Caller) -> None:
    job = caller.upload([("a.jpg", picture())])
    caller.wait(job)
    first = caller.http.get(f"/function/status/{job}")
    again = caller.http.get(f"/function/status/{job}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    short = caller.http.get(f"/function/status/{job}?images=none")
    assert short.json() == {**first.json(), "images": [], "now": short.json()["now"]}
    assert short.headers["ETag"] != first.headers["ETag"]


def test_an_image_that_takes_its_time_is_seen_at_work(caller: Caller) -> None:
    job = caller.upload([("large.png", picture((6000, 5000), kind="PNG"))], format="avif")
    seen = caller.wait_for(job, lambda document: document["images"][0]["state"] != "waiting")
    assert seen["images"][0]["state"] == "working"
    caller.http.delete(f"/job/{job}")


def test_a_bad_image_fails_alone_and_says_why(caller: Caller) -> None:
    good = picture()
    job = caller.upload(
        [
            ("good.jpg", good),
            ("empty.jpg", b""),
            ("text.jpg", b"this is no image at all"),
            ("cut.jpg", PHOTOGRAPHS[0].read_bytes()[:2000]),
            ("bomb.png", bomb()),
            ("also good.png", picture(kind="PNG")),
        ]
    )
    ended = caller.wait(job)
    files = caller.archive(job)
    report = report_of(files)
    assert (ended["state"], ended["done"], ended["failed"]) == ("ready", 2, 4)
    assert set(files) == {"good.jpg", "also good.png", "report.json"}
    failed = {name: image["code"] for name, image in report["by_name"].items() if image["state"] == "failed"}
    assert failed == {
        "empty.jpg": "empty_file",
        "text.jpg": "not_an_image",
        "cut.jpg": "truncated_image",
        "bomb.png": "too_many_pixels",
    }
    assert all(report["by_name"][name]["reason"].endswith(".") for name in failed)


def bomb() -> bytes:
    """A PNG of 20,000 x 20,000 pixels in few bytes."""
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG", optimize=True)
    assert len(out.getvalue()) < 70_000
    return out.getvalue()


def test_a_job_of_bad_images_only_ends_and_tells(caller: Caller) -> None:
    job = caller.upload([("a.jpg", b"no"), ("b.jpg", b"")])
    ended = caller.wait(job)
    assert (ended["state"], ended["failed"]) == ("failed", 2)
    assert ended["reason"] == "None of the images could be processed."
    assert list(caller.archive(job)) == ["report.json"]


def test_names_are_kept_and_never_trusted(caller: Caller) -> None:
    data = picture((64, 48))
    names = {
        "photo.jpg": "photo.jpg",
        "PHOTO.JPG": "PHOTO (2).JPG",
        "Ночь на море.jpeg": "Ночь на море.jpeg",
        "🌄.jpg": "🌄.jpg",
        "../../etc/passwd.jpg": "etc/passwd.jpg",
        "/abs.jpg": "abs.jpg",
        "day1/photo.jpg": "day1/photo.jpg",
        "x" * 251 + ".jpg": "x" * 251 + ".jpg",
        "noextension": "noextension.jpg",
        "wrong.png": "wrong.jpg",
        "report.json": "report.json.jpg",
    }
    job = caller.upload([("photo.jpg", data), *((name, data) for name in names if name != "photo.jpg")])
    caller.wait(job)
    assert set(caller.archive(job)) == {*names.values(), "report.json"}


def test_two_files_of_one_name_are_both_there(caller: Caller) -> None:
    red, blue = picture(colour="red"), picture(colour="blue")
    job = caller.upload([("same.jpg", red), ("same.jpg", blue)], position="center", text="X")
    caller.wait(job)
    files = caller.archive(job)
    corners = [Image.open(io.BytesIO(files[name])).getpixel((2, 2)) for name in ("same.jpg", "same (2).jpg")]
    assert corners[0][0] > 200 > 50 > corners[0][2]
    assert corners[1][2] > 200 > 50 > corners[1][0]


def test_a_zip_of_images_is_unpacked_with_its_folders(caller: Caller) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("day1/a.jpg", picture())
        archive.writestr("день 2/a.jpg", picture())
        archive.writestr("notes.txt", "no image")
        archive.writestr("__MACOSX/day1/._a.jpg", b"leftover")
    job = caller.upload([("all.zip", packed.getvalue()), ("single.jpg", picture())])
    ended = caller.wait(job)
    assert (ended["done"], ended["failed"]) == (3, 1)
    assert set(caller.archive(job)) == {"day1/a.jpg", "день 2/a.jpg", "single.jpg", "report.json"}


def test_a_broken_zip_harms_no_neighbour(caller: Caller) -> None:
    job = caller.upload([("broken.zip", b"PK\x03\x04 and nothing more"), ("good.jpg", picture())])
    ended = caller.wait(job)
    assert {image["name"]: image["code"] for image in ended["images"]} == {
        "broken.zip": "broken_zip",
        "good.jpg": None,
    }


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_entry_of_a_zip_fails_alone(caller: Caller, method: int) -> None:
    packed = io.BytesIO()
    noise = picture((300, 200), kind="BMP")
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("damaged.bmp", noise)
        archive.writestr("good.bmp", noise)
        info = archive.getinfo("damaged.bmp")
    raw = bytearray(packed.getvalue())
    begin = info.header_offset + 30 + len(info.filename) + 12
    raw[begin : begin + 20] = bytes(255 - byte for byte in raw[begin : begin + 20])
    ended = caller.wait(caller.upload([("all.zip", bytes(raw)), ("single.jpg", picture())]))
    assert {image["name"]: image["code"] for image in ended["images"]} == {
        "damaged.bmp": "bad_zip_entry",
        "good.bmp": None,
        "single.jpg": None,
    }


def test_a_zip_with_a_name_that_is_no_text_is_unpacked_all_the_same(caller: Caller) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("bé.jpg", picture())  # not ASCII, so that it is marked as UTF-8
        archive.writestr("good.jpg", picture())
    raw = packed.getvalue().replace("é".encode(), b"\xff\xfe")
    ended = caller.wait(caller.upload([("all.zip", raw), ("single.jpg", picture())]))
    states = {image["name"]: image["state"] for image in ended["images"]}
    assert states["good.jpg" if "good.jpg" in states else "all.zip"] in {"done", "failed"}
    assert states["single.jpg"] == "done"
    assert ended["state"] == "ready"


def test_options_come_before_the_files(caller: Caller) -> None:
    answer = caller.http.post(
        "/function/upload",
        files=[("files", ("a.jpg", picture())), ("text", (None, "too late"))],
    )
    problem(answer, 400, "bad_request", "before the files")


def test_wrong_options_name_the_field(caller: Caller) -> None:
    answer = caller.post([("a.jpg", picture())], opacity="7")
    problem(answer, 422, "invalid_options", "opacity")
    assert answer.json()["errors"][0]["field"].endswith("opacity")


def test_a_request_without_files_is_told_what_to_send(caller: Caller) -> None:
    problem(caller.post([], text="x"), 400, "no_files", "`files`")
    problem(caller.http.post("/function/upload", content=b"x"), 400, "bad_request", "curl -F")


def test_a_form_without_javascript_is_sent_to_the_jobs_page(caller: Caller) -> None:
    answer = caller.http.post(
        "/function/upload", files=[("files", ("a.jpg", picture()))], headers={"Accept": "text/html,*/*;q=0.8"}
    )
    assert answer.status_code == 303
    page = caller.http.get(answer.headers["Location"], headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "<html" in page.text


def test_a_second_task_runs_in_the_same_pass(caller: Caller) -> None:
    tasks = json.dumps([{"task": "resize", "width": 100, "height": 100}, {"task": "grayscale"}])
    job = caller.upload([("a.jpg", picture((400, 200), "red"))], tasks=tasks)
    caller.wait(job)
    image = Image.open(io.BytesIO(caller.archive(job)["a.jpg"]))
    assert image.size == (100, 50)
    red, green, blue = image.convert("RGB").getpixel((50, 25))  # type: ignore[misc]
    assert max(red, green, blue) - min(red, green, blue) < 4


def problem(answer: httpx.Response, status: int, code: str, words: str) -> None:
    """Check that an answer is a problem document that a caller understands."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == code
    assert document["status"] == status
    assert words in document["detail"]


@pytest.mark.parametrize("job", ["0" * 32, "nonsense", "..%2f..%2fetc"])
def test_an_unknown_job_is_not_found(caller: Caller, job: str) -> None:
    answer = caller.http.get(f"/function/status/{job}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
