"""The whole system on the node, from the project's own manifests: jobs end, whatever happens to copies."""

from collections.abc import Iterator

import httpx
import pytest

from tests.client import PHOTOGRAPHS, Caller, File, is_marked, report_of, unpack
from tests.cluster.built import Builder
from tests.cluster.cluster import Cluster
from tests.cluster.functions import NAMESPACE, Manifests, copies, ready_copies
from tests.cluster.ingress import Ingress
from tests.cluster.system import deploy_system
from tests.platform_driver import temporary_folder

SECONDS = 180
"""For a job."""


@pytest.fixture(scope="module")
def caller(cluster: Cluster, serving: Ingress, manifests: Manifests) -> Iterator[Caller]:
    """Somebody who uses the system from outside."""
    with temporary_folder() as folder:
        deploy_system(cluster, manifests, Builder(cluster.registry, folder))
    caller = Caller(serving.url, manifests.drop_keys)
    yield caller
    caller.close()


def _files(number: int) -> list[File]:
    data = [path.read_bytes() for path in PHOTOGRAPHS]
    return [(f"day{index % 3}/{index}.jpg", data[index % len(data)]) for index in range(number)]


def _archive(caller: Caller, job: str) -> dict[str, bytes]:
    """The ZIP of a job; its link is made for the public address, which leads here."""
    link = httpx.URL(caller.http.get(f"/job/{job}/archive").headers["location"])
    answer = caller.http.get(link.raw_path.decode(), headers={"Host": link.host})
    assert answer.status_code == httpx.codes.OK, answer.text
    return unpack(answer.content)


def test_a_job_becomes_a_zip_of_marked_images(caller: Caller) -> None:
    files = _files(len(PHOTOGRAPHS))
    job = caller.upload(files, text="© 2026")
    assert caller.wait(job, SECONDS)["state"] == "ready"
    found = _archive(caller, job)
    assert report_of(found)["by_name"].keys() == dict(files).keys()
    assert all(is_marked(data, found[name]) for name, data in files)


def test_a_drop_folder_is_marked_through_the_notifications_of_the_store(caller: Caller) -> None:
    (path, *_) = PHOTOGRAPHS
    caller.drop("wedding/a.jpg", path.read_bytes())
    assert is_marked(path.read_bytes(), caller.result("wedding/a.jpg", SECONDS))
    assert "a.jpg" in unpack(caller.result("wedding.zip", SECONDS))


def test_messages_bring_copies_of_watermark(cluster: Cluster, caller: Caller) -> None:
    before = ready_copies(cluster.kube, "watermark")
    job = caller.upload(_files(600), text="© 2026")
    cluster.kube.until(lambda: ready_copies(cluster.kube, "watermark") > before, SECONDS)
    assert caller.wait(job, SECONDS)["done"] == 600


def test_a_job_ends_though_copies_are_deleted_at_work(cluster: Cluster, caller: Caller) -> None:
    job = caller.upload(_files(300), text="© 2026")
    caller.wait_for(job, lambda document: document["done"] > 20, SECONDS)
    for pod in copies(cluster.kube, "watermark"):
        name = pod["metadata"]["name"]
        cluster.kube.run("delete", f"--namespace={NAMESPACE}", f"pod/{name}", "--grace-period=0", "--force")
    document = caller.wait(job, SECONDS)
    assert document["state"] == "ready"
    assert document["done"] == 300
