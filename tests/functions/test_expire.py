"""A job is deleted by its message, and at once when its holder says so."""

import json

import pytest
from countermark.services import Services

from functions.expire import handler
from tests.functions.conftest import ClientOf
from tests.jobs.made import change, job_row, stored, uploaded

MESSAGE = {"ce-type": "jobs.expired", "Content-Type": "application/json"}


def test_a_message_deletes_an_expired_job(own: Services, client_of: ClientOf) -> None:
    job = uploaded(own, "a.png")
    body = json.dumps({"version": 1, "job": job.id})
    client = client_of(handler)
    assert client.post("/", data=body, headers=MESSAGE).status_code == 204
    assert stored(own, "uploads"), "its hour is not over"
    change(own, "UPDATE jobs SET state = 'expired'")
    assert client.post("/", data=body, headers=MESSAGE).status_code == 204
    assert (stored(own, "uploads"), job_row(own, job.id).state) == ([], "gone")
    assert client.post("/", data=json.dumps({"version": 1}), headers=MESSAGE).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/{}"), ("POST", "/{}/delete")])
def test_its_holder_deletes_a_job_before_the_answer(own: Services, client_of: ClientOf, method: str, path: str) -> None:
    job = uploaded(own, "a.png")
    client = client_of(handler)
    answer = client.open(path.format(job.token), method=method)
    assert (answer.status_code, answer.data) == (204, b"")
    assert (stored(own, "uploads"), job_row(own, job.id).state) == ([], "gone")
    assert client.open(path.format(job.token), method=method).status_code == 204
    assert client.open(path.format("0" * 32), method=method).status_code == 404
    assert client.open(path.format("nothing"), method=method).status_code == 404


def test_a_form_leads_back_to_the_page(own: Services, client_of: ClientOf) -> None:
    job = uploaded(own, "a.png")
    page = {"Accept": "text/html"}
    answer = client_of(handler).post(f"/{job.token}/delete", headers=page)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/job/{job.token}")
    assert client_of(handler).delete(f"/{job.token}", headers=page).status_code == 204


def test_other_calls_are_refused(own: Services, client_of: ClientOf) -> None:
    job = uploaded(own, "a.png")
    client = client_of(handler)
    for method, path in (("GET", f"/{job.token}"), ("POST", f"/{job.token}"), ("DELETE", "/"), ("PUT", "/")):
        answer = client.open(path, method=method)
        assert answer.status_code == 405
        assert "DELETE /job/<id> deletes a job" in answer.text
    assert stored(own, "uploads")
