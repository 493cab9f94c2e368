"""The images of a job once more: small, as they were, and in a new job with other options."""

import io

import pytest
from PIL import Image

from tests.client import Caller, is_marked, picture


@pytest.fixture(scope="module")
def job(caller: Caller) -> str:
    """A job with a good and a bad image."""
    job = caller.upload([("day1/good.jpg", picture((900, 600))), ("bad.jpg", b"no image")])
    caller.wait(job)
    return job


def test_an_image_is_shown_small_before_and_after(caller: Caller, job: str) -> None:
    after, before = (caller.http.get(f"/job/{job}/images/1/small{query}") for query in ("", "?of=original"))
    for answer in (after, before):
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).size == (320, 213)
    assert is_marked(before.content, after.content)
    larger = caller.http.get(f"/job/{job}/images/1/small?longest=600")
    assert max(Image.open(io.BytesIO(larger.content)).size) == 600


def test_the_original_is_given_back(caller: Caller, job: str) -> None:
    answer = caller.http.get(f"/job/{job}/images/1/original", follow_redirects=True)
    assert answer.content == picture((900, 600))


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("images/2/small", 404, "not_ready"),
        ("images/2/small?of=original", 422, "bad_image"),
        ("images/1/small?longest=99999", 400, "bad_request"),
        ("images/1/small?longest=x", 400, "bad_request"),
        ("images/3/small", 404, "not_found"),
        ("images/3/original", 404, "not_found"),
        ("images/x/original", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_told(caller: Caller, job: str, path: str, status: int, code: str) -> None:
    answer = caller.http.get(f"/job/{job}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_new_job_is_made_of_the_same_images(caller: Caller, job: str) -> None:
    asked = {"options": {"tasks": [{"task": "resize", "width": 90, "height": 90}]}}
    answer = caller.again(job, **asked)
    assert answer.status_code == 202
    again = answer.json()["job"]
    assert again != job
    assert caller.http.delete(f"/job/{job}").status_code == 204, "it must not need the first one any more"
    ended = caller.wait(again)
    assert {image["name"]: image["state"] for image in ended["images"]} == {
        "day1/good.jpg": "done",
        "bad.jpg": "failed",
    }
    assert Image.open(io.BytesIO(caller.archive(again)["day1/good.jpg"])).size == (90, 60)
    assert caller.again(job, **asked).status_code == 410


def test_only_the_failed_ones_are_tried_again(caller: Caller) -> None:
    job = caller.upload([("good.jpg", picture()), ("bad.jpg", b"no image")])
    caller.wait(job)
    again = caller.again(job, images="failed").json()["job"]
    assert [image["name"] for image in caller.wait(again)["images"]] == ["bad.jpg"]
    form = caller.http.post(f"/function/upload/{job}/again?images=failed", headers={"Accept": "text/html"})
    assert form.status_code == 303
    retried = caller.wait(form.headers["Location"].rpartition("/")[2])
    assert [image["name"] for image in retried["images"]] == ["bad.jpg"]


def test_a_new_job_has_the_first_ones_options_unless_it_is_given_others(caller: Caller) -> None:
    tasks = '[{"task": "resize", "width": 40, "height": 40}]'
    job = caller.upload([("a.jpg", picture((80, 80)))], tasks=tasks)
    caller.wait(job)
    again = caller.http.post(f"/function/upload/{job}/again").json()["job"]
    caller.wait(again)
    assert Image.open(io.BytesIO(caller.archive(again)["a.jpg"])).size == (40, 40)


def test_what_can_not_be_asked_for_is_told(caller: Caller) -> None:
    job = caller.upload([("good.jpg", picture())])
    caller.wait(job)
    for which in ("some", [], ["all"], {}, 1, None, True):
        answer = caller.again(job, images=which)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert caller.again(job, images="failed").json()["code"] == "no_files"
    assert caller.again(job, options={"tasks": [{"task": "paint"}]}).status_code == 422
    assert caller.again(job, options=[]).status_code in {400, 422}
    assert caller.http.post(f"/function/upload/{job}/again", content=b"[]").status_code == 400
