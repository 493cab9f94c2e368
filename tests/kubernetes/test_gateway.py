"""The gateway's configuration for a cluster is one that Caddy takes, and leads where the platform expects calls."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.project import BINARIES
from tests.kubernetes.rendered import Rendered


def adapted(rendered: Rendered, folder: Path) -> dict[str, Any]:
    """What Caddy makes of the file in the ConfigMap."""
    path = folder / "Caddyfile"
    path.write_text(rendered.one("ConfigMap", "gateway")["data"]["Caddyfile"])
    for command in ("validate", "adapt"):
        done = subprocess.run(
            [BINARIES / "caddy", command, "--adapter", "caddyfile", "--config", path],
            capture_output=True,
            text=True,
            check=False,
            env={"HOME": str(folder), "PATH": ""},
        )
        assert done.returncode == 0, done.stderr
    configuration: dict[str, Any] = json.loads(done.stdout)
    return configuration


def proxies(part: Any) -> Iterator[dict[str, Any]]:
    """Every handler that passes requests on."""
    if isinstance(part, dict):
        if part.get("handler") == "reverse_proxy":
            yield part
        for value in part.values():
            yield from proxies(value)
    elif isinstance(part, list):
        for value in part:
            yield from proxies(value)


def test_caddy_takes_it_and_listens_at_one_address_that_trusts_the_ingress(rendered: Rendered, tmp_path: Path) -> None:
    (server,) = adapted(rendered, tmp_path)["apps"]["http"]["servers"].values()
    assert server["listen"] == [":8080"]
    assert server["trusted_proxies"]["source"] == "static"
    container = rendered.one("Deployment", "gateway")["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"][0]["containerPort"] == 8080


def test_every_public_function_is_called_as_the_platform_wants_it(rendered: Rendered, tmp_path: Path) -> None:
    found = list(proxies(adapted(rendered, tmp_path)))
    addresses = {upstream["dial"] for each in found for upstream in each["upstreams"]}
    sets = [each["headers"]["request"]["set"] for each in found if "headers" in each]
    hosts = {each["Host"][0] for each in sets if "Host" in each}
    space, store = rendered.target.namespace, rendered.target.store_url.split("://")[1]
    reached = [f"{name}.{space}.svc.cluster.local" for name in ("upload", "watermark", "preview", "status", "expire")]
    if rendered.target.platform == "knative":
        assert hosts == set(reached)
        addresses -= {f"{host}:80" for host in reached}
    else:
        assert hosts == set()
        addresses.remove("gateway.openfaas.svc.cluster.local:8080")
    (left,) = addresses
    assert left.removesuffix(":443") == store
