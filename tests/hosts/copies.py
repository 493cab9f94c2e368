"""Copies of the watermark function on a host, as Knative runs them: index.py behind the real queue-proxy."""

import json
import sys
from collections.abc import Mapping

import httpx
import yaml

from infra.project import ROOT
from infra.tools import install
from tests.hosts.host import Host
from tests.platform_driver import wait_until

FUNCTION = "watermark"
INDEX = ROOT / "templates" / "python3-countermark" / "index.py"
PORT = 8080
"""Of the function, as Knative gives it."""
PROXY_PORT = 8012
"""Of queue-proxy, which others call."""
SECONDS_TO_SERVE = 60
PROBE = {"User-Agent": "kube-probe/1", "K-Network-Probe": "queue"}


def entry() -> dict[str, str]:
    """The function's environment in stack.yml."""
    stack = yaml.safe_load((ROOT / "stack.yml").read_text())
    return {name: str(value) for name, value in stack["functions"][FUNCTION]["environment"].items()}


def begin_copy(host: Host, settings: Mapping[str, str]) -> None:
    """Start a copy and what Knative puts before it; it does not serve at once.

    Args:
        settings: where the servers are, and the secrets.
    """
    environment = entry()
    own = {"FUNCTION_DIR": str(ROOT / "functions" / FUNCTION), "FUNCTION_NAME": FUNCTION, "PORT": str(PORT)}
    host.start(FUNCTION, [sys.executable, str(INDEX)], {**environment, **own, **settings})
    proxy = queue_proxy_environment(host, concurrency=int(environment["max_inflight"]))
    host.start("queue-proxy", [str(install("queue-proxy"))], proxy)


def wait_for_copy(host: Host) -> None:
    """Wait until the copy on a host serves."""
    wait_until(lambda: serves(host) or not host.is_alive(), SECONDS_TO_SERVE)
    assert host.is_alive(), host.log(FUNCTION) + host.log("queue-proxy")


def queue_proxy_environment(host: Host, *, concurrency: int) -> dict[str, str]:
    """What Knative's controller writes into the pod of a revision."""
    ask = {"path": "/_/ready", "port": PORT, "host": "127.0.0.1", "scheme": "HTTP"}
    probe = {"httpGet": ask, "successThreshold": 1, "timeoutSeconds": 1, "periodSeconds": 1}
    return {
        "CONTAINER_CONCURRENCY": str(concurrency),
        "QUEUE_SERVING_PORT": str(PROXY_PORT),
        "QUEUE_SERVING_TLS_PORT": "8112",
        "USER_PORT": str(PORT),
        "REVISION_TIMEOUT_SECONDS": "120",
        "SERVING_READINESS_PROBE": json.dumps(probe),
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "info",
        "SERVING_NAMESPACE": "countermark",
        "SERVING_CONFIGURATION": FUNCTION,
        "SERVING_REVISION": f"{FUNCTION}-00001",
        "SERVING_POD": f"{FUNCTION}-{host.name}",
        "SERVING_POD_IP": host.address,
    }


def serves(host: Host) -> bool:
    """Whether the copy on a host is ready, by the same question that the kubelet asks."""
    try:
        answer = httpx.get(f"http://{host.address}:{PROXY_PORT}/", headers=PROBE, timeout=2)
    except httpx.TransportError:
        return False
    return answer.is_success


def images_done(host: Host, key: str) -> list[int]:
    """The numbers of a job's images that a host has marked, each as often as it has.

    Args:
        key: the job's id in keys and logs.
    """
    lines = [json.loads(line) for line in host.log(FUNCTION).splitlines() if '"image done"' in line]
    return [line["image"] for line in lines if line["job"] == key]
