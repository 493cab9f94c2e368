"""Small pictures of what a job has, for as long as it lives."""

import io
from typing import Any

import pytest
from countermark.services import Services
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from functions.preview import handler
from functions.watermark.process import process
from tests.functions.conftest import ClientOf
from tests.jobs.made import change, image_row, picture, uploaded


@pytest.fixture
def client(client_of: ClientOf) -> FlaskClient:
    """Calls the function."""
    return client_of(handler)


def done(own: Services) -> Any:
    """A job with a marked image, and one that waits."""
    job = uploaded(own, "a.png", "b.png", data=picture((640, 480)), options={"format": "jpeg"})
    process(own, job.id, 1, 1)
    return job


def size_of(answer: TestResponse) -> tuple[int, int]:
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.data)).size


def test_a_marked_image_is_made_small(own: Services, client: FlaskClient) -> None:
    job = done(own)
    answer = client.get(f"/{job.token}/images/1/small")
    assert size_of(answer) == (320, 240)
    etag = own.objects.stat("results", str(image_row(own, job.id).result_key)).etag
    assert answer.headers["ETag"] == f'"{etag}"'
    assert answer.headers["Cache-Control"] == "private, max-age=3600"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.mimetype == f"image/{str(Image.open(io.BytesIO(answer.data)).format).lower()}"
    assert client.head(f"/{job.token}/images/1/small").status_code == 200


def test_its_size_can_be_chosen_within_limits(own: Services, client: FlaskClient) -> None:
    address = f"/{done(own).token}/images/1/small"
    assert size_of(client.get(address, query_string={"longest": "64"})) == (64, 48)
    assert client.get(address, query_string={"longest": "1"}).status_code == 200
    assert client.get(address, query_string={"longest": "2000"}).status_code == 200
    for wrong in ("0000000019999", "1" + "0" * 5000, "0", "2001", "-1", "x", "", "9" * 5000, "1.5"):
        answer = client.get(address, query_string={"longest": wrong})
        assert answer.status_code == 400
        assert "from 1 to 2000" in answer.text


def test_an_original_is_shown_before_it_is_marked(own: Services, client: FlaskClient) -> None:
    job = done(own)
    answer = client.get(f"/{job.token}/images/2/small", query_string={"of": "original"})
    assert size_of(answer) == (320, 240)
    assert answer.headers["ETag"] == f'"{image_row(own, job.id, 2).etag}"'
    assert client.get(f"/{job.token}/images/2/small").json["code"] == "not_ready"  # type: ignore[index]


def test_a_result_is_shown_of_an_image_that_is_done_alone(own: Services, client: FlaskClient) -> None:
    job = done(own)
    change(own, "UPDATE images SET state = 'waiting' WHERE number = 1")
    answer = client.get(f"/{job.token}/images/1/small")
    assert (answer.status_code, answer.json["code"]) == (404, "not_ready")  # type: ignore[index]


@pytest.mark.parametrize(
    "end", ["UPDATE jobs SET state = 'expired'", "UPDATE jobs SET state = 'ready', expires_at = now()"]
)
@pytest.mark.parametrize("of", ["original", "result"])
def test_nothing_is_shown_of_a_job_that_has_expired(own: Services, client: FlaskClient, end: str, of: str) -> None:
    job = done(own)
    change(own, end)
    answer = client.get(f"/{job.token}/images/1/small", query_string={"of": of})
    assert answer.status_code == 410
    assert answer.json["code"] == "job_expired"  # type: ignore[index]


def test_what_is_no_picture_is_told(own: Services, client: FlaskClient) -> None:
    job = uploaded(own, "a.png", data=b"no picture")
    answer = client.get(f"/{job.token}/images/1/small", query_string={"of": "original"})
    assert (answer.status_code, answer.json["code"]) == (422, "bad_image")  # type: ignore[index]
    assert answer.json["detail"] != "The image can't be processed."  # type: ignore[index]


def test_what_is_gone_from_the_store_is_not_there(own: Services, client: FlaskClient) -> None:
    job = done(own)
    own.objects.delete("results", [str(image_row(own, job.id).result_key)])
    assert client.get(f"/{job.token}/images/1/small").json["code"] == "not_found"  # type: ignore[index]


@pytest.mark.parametrize("number", ["3", "0", "x", "٣", "1234567", "-1"])
def test_an_image_that_no_job_has_is_not_there(own: Services, client: FlaskClient, number: str) -> None:
    assert client.get(f"/{done(own).token}/images/{number}/small").status_code == 404


def test_one_image_is_marked_for_the_page(client: FlaskClient) -> None:
    answer = client.post("/", data=picture((200, 100)), query_string={"text": "© 2026", "format": "png"})
    assert size_of(answer) == (200, 100)
    assert len(Image.open(io.BytesIO(answer.data)).getcolors(maxcolors=100_000) or []) > 1


def test_other_calls_are_refused(own: Services, client: FlaskClient) -> None:
    address = f"/{done(own).token}/images/1/small"
    assert client.post(address).status_code == client.get("/").status_code == client.delete(address).status_code == 405
    assert client.get("/elsewhere").status_code == 404
    assert client.get(f"/{'0' * 32}/images/1/small").status_code == 404
