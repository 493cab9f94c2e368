"""The programs, each pinned to a version."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program in a Go module."""

    module: str
    version: str
    package: str = ""
    """The program's folder in the module; empty for the module itself."""
    staged: str = ""
    """The version of the modules that its own go.mod takes from folders beside it, for Kubernetes does so."""
    why: str


KUBERNETES = ("k8s.io/kubernetes", "v1.34.4", "v0.34.4")
"""The module, its version, and that of the modules of which it is made."""


TOOLS = {
    "minio": Tool(
        module="github.com/minio/minio",
        version="v0.0.0-20260212201848-7aac2a2c5b7c",
        why="the object store; its community edition is distributed as source",
    ),
    "queue-proxy": Tool(
        module="knative.dev/serving",
        version="v0.42.2",
        package="cmd/queue",
        why="what Knative puts before each copy of a function",
    ),
    "kube-apiserver": Tool(
        module=KUBERNETES[0],
        version=KUBERNETES[1],
        package="cmd/kube-apiserver",
        staged=KUBERNETES[2],
        why="takes manifests as a cluster does, or refuses them",
    ),
    "kubectl": Tool(
        module=KUBERNETES[0],
        version=KUBERNETES[1],
        package="cmd/kubectl",
        staged=KUBERNETES[2],
        why="talks to a cluster",
    ),
    "etcd": Tool(
        module="go.etcd.io/etcd/server/v3",
        version="v3.6.7",
        why="what a kube-apiserver keeps its objects in",
    ),
    "kubeconform": Tool(
        module="github.com/yannh/kubeconform",
        version="v0.8.0",
        package="cmd/kubeconform",
        why="holds manifests against the schemas of their kinds",
    ),
    "kube-score": Tool(
        module="github.com/zegl/kube-score",
        version="v1.20.0",
        package="cmd/kube-score",
        why="looks for what is careless in manifests",
    ),
    "faas-cli": Tool(
        module="github.com/openfaas/faas-cli",
        version="v0.17.0",
        why="builds and deploys functions on OpenFaaS",
    ),
    "of-watchdog": Tool(
        module="github.com/openfaas/of-watchdog",
        version="v0.11.3",
        why="what OpenFaaS puts before each copy of a function",
    ),
}
