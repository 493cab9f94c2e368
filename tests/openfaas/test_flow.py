"""Everything goes through OpenFaaS: its gateway, and a watchdog before each function."""

import httpx

from tests.client import PHOTOGRAPHS, Caller, is_marked
from tests.hosts.jobs import assert_whole, photographs
from tests.openfaas.installation import Installation

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
