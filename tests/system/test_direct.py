"""Images straight to the object store by presigned links; each is processed as it lands."""

from typing import Any

import httpx

from tests.client import Caller, is_marked, picture, report_of


def order(caller: Caller, files: dict[str, bytes], **options: object) -> dict[str, Any]:
    """Ask for links for files."""
    listed = [{"name": name, "size": len(data)} for name, data in files.items()]
    answer = caller.http.post("/function/upload", json={"files": listed, "options": options})
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_each_image_is_processed_as_it_lands(caller: Caller) -> None:
    files = {"day1/a.jpg": picture(), "б.png": picture(kind="PNG")}
    answer = order(caller, files)
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
    (upload,) = order(caller, {"a.jpg": data})["uploads"]
    assert httpx.put(upload["url"], content=data + b"more").status_code == 403
    assert httpx.get(upload["url"]).status_code == 403
    assert httpx.delete(upload["url"]).status_code == 403
    assert httpx.put(upload["url"].replace("/1?", "/2?"), content=data).status_code == 403


def test_files_that_will_not_come_are_given_up(caller: Caller) -> None:
    files = {"sent.jpg": picture(), "cancelled.jpg": picture((10, 10))}
    answer = order(caller, files)
    job = answer["job"]
    httpx.put(answer["uploads"][0]["url"], content=files["sent.jpg"])
    closed = caller.http.post(f"/function/upload/{job}/close")
    assert closed.json() == {"given_up": 1}
    ended = caller.wait(job)
    assert (ended["state"], ended["done"], ended["failed"]) == ("ready", 1, 1)
    assert report_of(caller.archive(job))["by_name"]["cancelled.jpg"]["code"] == "not_uploaded"


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
