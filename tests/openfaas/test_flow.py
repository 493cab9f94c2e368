"""Everything goes through OpenFaaS: its gateway, and a watchdog before each function."""

import httpx

from tests.client import PHOTOGRAPHS, Caller, is_marked
from tests.hosts.jobs import assert_whole, photographs
from tests.openfaas.installation import Installation
from tests.system.rows import Rows

PHOTOGRAPH = PHOTOGRAPHS[0]


def test_every_function_is_deployed_and_listed(openfaas: Installation) -> None:
    listed = openfaas.faas_cli("list")
    assert all(name in listed for name in openfaas.provider.functions)
    assert len(openfaas.provider.functions) == 8


def test_files_of_a_form_become_a_zip_with_marked_pictures(caller: Caller) -> None:
    job = caller.upload([(PHOTOGRAPH.name, PHOTOGRAPH.read_bytes())], text="Countermark")
    assert caller.wait(job)["state"] == "ready"
    assert is_marked(PHOTOGRAPH.read_bytes(), caller.archive(job)[PHOTOGRAPH.name])


def test_files_that_are_sent_by_links_as_the_page_does_become_a_zip(caller: Caller) -> None:
    files = photographs(3)
    order = caller.order(files)
    assert [caller.put(each, data) for each, (_, data) in zip(order["uploads"], files, strict=True)] == [200] * 3
    caller.wait(order["job"])
    assert_whole(caller, order["job"], 3)


def test_what_is_dropped_into_the_bucket_is_marked(caller: Caller) -> None:
    caller.drop("openfaas/dogs.jpg", PHOTOGRAPH.read_bytes())
    assert is_marked(PHOTOGRAPH.read_bytes(), caller.result("openfaas/dogs.jpg"))


def test_one_image_is_answered_marked(openfaas: Installation) -> None:
    answer = httpx.post(f"{openfaas.gateway}/function/watermark?text=x", content=PHOTOGRAPH.read_bytes(), timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert is_marked(PHOTOGRAPH.read_bytes(), answer.content)


def test_a_job_belongs_to_the_caller_whom_the_ingress_names(openfaas: Installation, caller: Caller, rows: Rows) -> None:
    headers = {"X-Forwarded-For": "203.0.113.77, 198.51.100.5"}
    files = {"files": (PHOTOGRAPH.name, PHOTOGRAPH.read_bytes())}
    job = caller.http.post("/function/upload", headers=headers, files=files).json()["job"]
    assert rows.one("SELECT owner FROM jobs WHERE token = :token", token=job) == "address:198.51.100.5"
    caller.wait(job)
    assert openfaas.connector.deliveries("archive", "dead") == 0


def test_messages_and_what_is_private_do_not_come_from_outside(caller: Caller) -> None:
    pretending = {"ce-specversion": "1.0", "ce-type": "images.waiting", "ce-id": "1", "ce-source": "me"}
    answer = caller.http.post("/function/watermark", headers=pretending, json={"version": 1})
    assert answer.status_code == 422, "it must be taken for an image that somebody sends"
    assert caller.http.get("/function/reconcile").status_code == 404
    assert caller.http.get("/function/upload/metrics").status_code == 404
