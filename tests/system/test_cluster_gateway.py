"""The gateway as it is on a cluster, with real functions behind it: by their host as on Knative, by their path as on
OpenFaaS."""

import io
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from PIL import Image

from infra.kubernetes.functions import deployed_stack, workloads_of
from infra.kubernetes.target import Target
from infra.local.ports import pick_free_port
from infra.servers.gateway.site import caddyfile
from tests.client import PHOTOGRAPHS, Caller, is_marked, picture
from tests.own_caddy import cluster_site, running_caddy
from tests.platform_driver import Platform
from tests.system.rows import Rows

FRONT = """{
  admin off
  auto_https off
  servers {
    trusted_proxies static private_ranges
  }
}
"""
"""What Kourier and the gateway of OpenFaaS have in common: they keep the forwarded headers that they get."""


def kourier(platform: Platform, port: int, names: list[str]) -> str:
    """What stands before Knative's Services: one address, and the Host tells which is meant; others are not there."""
    sites = [f"http://{name}.countermark.svc.cluster.local:{port} {{\n  {proxy(platform, name)}\n}}" for name in names]
    return FRONT + "\n".join([*sites, f"http://:{port} {{\n  respond 404\n}}\n"])


def openfaas(platform: Platform, port: int, names: list[str]) -> str:
    """OpenFaaS's gateway: a function is below a path, which it does not see itself."""
    routes = [f"  handle_path /function/{name}/* {{\n    {proxy(platform, name)}\n  }}" for name in names]
    return FRONT + f"http://:{port} {{\n" + "\n".join([*routes, "  respond 404\n}\n"])


def proxy(platform: Platform, name: str) -> str:
    """A function's copies."""
    return "reverse_proxy " + " ".join(f"127.0.0.1:{platform.ports[copy]}" for copy in platform.processes(name))


@pytest.fixture(scope="module", params=["knative", "openfaas"])
def address(
    request: pytest.FixtureRequest, platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a cluster's gateway."""
    target = Target(platform=request.param)
    folder, port = tmp_path_factory.mktemp(request.param), pick_free_port()
    with ExitStack() as stack:
        functions_at, front = pick_free_port(), {"knative": kourier, "openfaas": openfaas}[target.platform]
        names = [each.name for each in workloads_of(deployed_stack(target))]
        text = front(platform, functions_at, names)
        stack.enter_context(running_caddy(folder / "front", functions_at, text))
        made = cluster_site(platform, target, port, f"127.0.0.1:{functions_at}")
        stack.enter_context(running_caddy(folder / "gateway", port, caddyfile(made)))
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def visitor(address: str) -> Iterator[Caller]:
    """Somebody who comes by the cluster's gateway."""
    caller = Caller(address)
    yield caller
    caller.http.close()


def test_a_job_goes_all_the_way(visitor: Caller) -> None:
    photograph = PHOTOGRAPHS[0]
    job = visitor.upload([(photograph.name, photograph.read_bytes())], text="Countermark")
    assert visitor.wait(job)["state"] == "ready"
    files = visitor.archive(job)
    assert is_marked(photograph.read_bytes(), files[photograph.name])
    small = visitor.http.get(f"/job/{job}/images/1/small", params={"longest": "100"})
    assert max(Image.open(io.BytesIO(small.content)).size) == 100
    assert visitor.http.delete(f"/job/{job}").status_code < 300
    assert visitor.http.get(f"/function/status/{job}").status_code == 410


def test_one_image_is_answered_marked(visitor: Caller) -> None:
    answer = visitor.http.post("/function/watermark", params={"text": "© 2026"}, content=picture())
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/jpeg"


def test_links_are_for_the_host_and_scheme_that_the_ingress_tells(visitor: Caller) -> None:
    job = visitor.upload([("a.jpg", picture())])
    visitor.wait(job)
    told = {"X-Forwarded-Host": "photos.example.com", "X-Forwarded-Proto": "https"}
    link = visitor.http.get(f"/job/{job}/archive", headers=told)
    assert link.headers["Location"].startswith("https://photos.example.com/results/")


def test_the_owner_is_whom_the_ingress_names_and_not_whom_the_caller_names(visitor: Caller, rows: Rows) -> None:
    visitor.http.headers["X-Forwarded-For"] = "203.0.113.77, 198.51.100.5"
    job = visitor.upload([("a.jpg", picture())])
    assert rows.one("SELECT owner FROM jobs WHERE token = :token", token=job) == "address:198.51.100.5"


def test_messages_do_not_come_from_outside(visitor: Caller) -> None:
    job = visitor.upload([("a.jpg", picture())])
    visitor.wait(job)
    pretending = {"ce-specversion": "1.0", "ce-type": "images.waiting", "ce-id": "1", "ce-source": "me"}
    message = {"version": 1, "job": "0" * 24, "number": 1, "revision": 1}
    answer = visitor.http.post("/function/watermark", headers=pretending, json=message)
    assert answer.status_code == 422, "it must be taken for an image that somebody sends"
    pretending |= {"ce-type": "jobs.expired"}
    # Taken for a message, it would be answered 204 and delete nothing.
    visitor.http.post(f"/job/{job}/delete", headers=pretending, json={"version": 1, "job": "0" * 24})
    assert visitor.is_gone(job)


@pytest.mark.parametrize(
    "path", ["/function/upload/metrics", "/function/expire", "/function/reconcile", "/job/metrics", "/job/_/ready"]
)
def test_what_is_not_for_callers_is_not_there(visitor: Caller, path: str) -> None:
    answer = visitor.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_pages_are_there(visitor: Caller) -> None:
    assert "<form" in visitor.http.get("/").text
