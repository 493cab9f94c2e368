"""What somebody decides about a deployment, and the addresses that follow from it."""

from dataclasses import dataclass
from typing import Literal

Platform = Literal["knative", "openfaas"]

OPENFAAS_FUNCTIONS = "openfaas-fn"
"""Where the Community Edition puts functions; it allows no other namespace."""
OPENFAAS_GATEWAY = "gateway.openfaas.svc.cluster.local:8080"
STORE_PORT = 9000


@dataclass(frozen=True, kw_only=True)
class Target:
    """A deployment on a cluster."""

    platform: Platform
    registry: str = "countermark"
    """Where images are, without the slash at the end."""
    tag: str = "latest"
    url: str = "https://localhost"
    """The public address, such as https://photos.example.com"""
    namespace: str = "countermark"
    store: str = ""
    """An S3 store outside the cluster; empty: MinIO inside it."""
    pull_secret: str = ""
    """The secret, in each namespace, with which nodes pull our images; empty: they need none."""
    ingress_class: str = "traefik"
    ingress_namespace: str = "traefik"
    """Where the ingress controller's pods are; only they reach the gateway."""
    monitoring_namespace: str = "monitoring"
    """Where Prometheus is."""

    @property
    def host(self) -> str:
        """The public host."""
        return self.url.split("://", 1)[1]

    @property
    def functions_namespace(self) -> str:
        """Where the functions' pods and secrets are."""
        return OPENFAAS_FUNCTIONS if self.platform == "openfaas" else self.namespace

    @property
    def function_url(self) -> str:
        """The address of a function for the connector; {function} stands for its name."""
        if self.platform == "openfaas":
            return f"http://{OPENFAAS_GATEWAY}/function/{{function}}"
        return f"http://{{function}}.{self.namespace}.svc.cluster.local"

    @property
    def store_url(self) -> str:
        """The object store as functions reach it."""
        return self.store or f"http://{self.service('minio')}:{STORE_PORT}"

    def service(self, name: str) -> str:
        """The name of a service as every namespace resolves it."""
        return f"{name}.{self.namespace}.svc.cluster.local"

    def image(self, name: str) -> str:
        """An image of ours."""
        return f"{self.registry}/{name}:{self.tag}"
