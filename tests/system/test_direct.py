"""Images straight to the object store by presigned links; each is processed as it lands."""

import httpx

from tests.client import Caller, is_marked, picture, report_of
from tests.platform_driver import Platform


def test_each_image_is_processed_as_it_lands(caller: Caller) -> None:
    files = {"day1/a.jpg": picture(), "б.png": picture(kind="PNG")}
    answer = caller.order(files.items())
    job, uploads = answer["job"], answer["uploads"]
    first, second = uploads
    assert httpx.put(first["url"], content=files["day1/a.jpg"]).status_code == 200
    half = caller.wait_for(job, lambda document: document["done"] == 1)
    assert half["state"] == "processing"
    assert httpx.put(second["url"], content=files["б.png"]).status_code == 200
    assert caller.wait(job)["state"] == "ready"
    packed = caller.archive(job)
    assert all(is_marked(data, packed[name]) for name, data in files.items())


def test_a_link_takes_only_the_bytes_it_was_made_for(caller: Caller) -> None:
    data = picture()
    (upload,) = caller.order([("a.jpg", data)])["uploads"]
    assert httpx.put(upload["url"], content=data + b"more").status_code == 403
    assert httpx.get(upload["url"]).status_code == 403
    assert httpx.delete(upload["url"]).status_code == 403
    assert httpx.put(upload["url"].replace("/1?", "/2?"), content=data).status_code == 403


def test_files_that_will_not_come_are_given_up(caller: Caller) -> None:
    files = {"sent.jpg": picture(), "cancelled.jpg": picture((10, 10))}
    answer = caller.order(files.items())
    job = answer["job"]
    httpx.put(answer["uploads"][0]["url"], content=files["sent.jpg"])
    closed = caller.http.post(f"/function/upload/{job}/close")
    assert closed.json() == {"given_up": 1}
    ended = caller.wait(job)
    assert (ended["state"], ended["done"], ended["failed"]) == ("ready", 1, 1)
    assert report_of(caller.archive(job))["by_name"]["cancelled.jpg"]["code"] == "not_uploaded"


def test_what_is_closed_keeps_what_has_come(place: Platform, caller: Caller) -> None:
    data = picture()
    place.stop("drop")  # so that nobody has told of the file
    try:
        answer = caller.order([("sent.jpg", data), ("cancelled.jpg", data)])
        assert caller.put(answer["uploads"][0], data) == 200
        assert caller.http.post(f"/function/upload/{answer['job']}/close").json() == {"given_up": 1}
    finally:
        place.start("drop")
    ended = caller.wait(answer["job"])
    assert [image["state"] for image in ended["images"]] == ["done", "failed"]


def test_closing_a_posted_job_takes_nothing_away(place: Platform, caller: Caller) -> None:
    place.stop("watermark")
    try:
        job = caller.upload([("a.jpg", picture()), ("b.jpg", picture())])
        assert caller.http.post(f"/function/upload/{job}/close").json() == {"given_up": 0}
    finally:
        place.start("watermark")
    assert caller.wait(job)["done"] == 2
    assert caller.http.post(f"/function/upload/{job}/close").json() == {"given_up": 0}
    assert caller.wait(job)["done"] == 2


def test_what_is_not_allowed_is_refused_before_the_upload(caller: Caller) -> None:
    def ask(**body: object) -> tuple[int, str]:
        answer = caller.http.post("/function/upload", json=body)
        return answer.status_code, answer.json()["code"]

    limits = caller.http.get("/function/upload").json()["limits"]
    assert ask(files=[{"name": "a", "size": limits["file_bytes"] + 1}]) == (413, "too_large")
    assert ask(files=[{"name": "a", "size": 1}] * (limits["files"] + 1)) == (413, "too_many_files")
    big = {"name": "a", "size": limits["file_bytes"]}
    assert ask(files=[big] * (limits["job_bytes"] // limits["file_bytes"] + 1)) == (413, "too_large")
    assert ask(files=[]) == (400, "bad_request")
    assert ask(files=[{"name": "a", "size": 0}]) == (400, "bad_request")
    assert ask(files=[{"name": "a", "size": 1}], options={"nonsense": 1}) == (422, "invalid_options")
