"""The node is a real one: Pods run on it, Services answer by name, logs are read, and nothing is left."""

import shutil
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Object

SHELL = "shell:1"


@pytest.fixture(scope="module", autouse=True)
def _shell(cluster: Cluster) -> None:
    busybox = shutil.which("busybox")
    assert busybox, "apt-get install busybox-static"
    cluster.registry.push_program(SHELL, Path(busybox), "/bin/busybox")


def _pod(cluster: Cluster, name: str, *command: str, labels: dict[str, str] | None = None) -> Object:
    container = {"name": "shell", "image": cluster.registry.image(SHELL), "args": list(command)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels or {}},
        "spec": {"containers": [container], "restartPolicy": "Never"},
    }


def test_a_service_answers_by_its_name_and_logs_are_read(cluster: Cluster) -> None:
    cluster.kube.until(lambda: cluster.kube.get("serviceaccount", "default"))
    server = _pod(cluster, "server", "httpd", "-f", "-p", "8080", "-h", "/", labels={"app": "server"})
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "greeting", "namespace": "default"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    cluster.kube.apply(server, service)
    cluster.kube.wait("condition=Ready", "pod/server")
    cluster.kube.apply(
        _pod(cluster, "client", "wget", "-qO-", "http://greeting.default.svc.cluster.local/etc/hostname")
    )
    cluster.kube.wait("jsonpath={.status.phase}=Succeeded", "pod/client")
    assert cluster.kube.logs("default", "client") == "server\n"


def test_the_node_is_of_the_version_that_is_tested(cluster: Cluster) -> None:
    (node,) = cluster.kube.items("nodes")
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.34.4"
