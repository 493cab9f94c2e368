"""The programs, each pinned to a version."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program in a Go module."""

    module: str
    version: str
    package: str = ""
    """The program's folder in the module; empty for the module itself."""
    staged: str = ""
    """The version of the modules that its own go.mod takes from folders beside it, for Kubernetes does so."""
    variables: dict[str, str] = field(default_factory=dict)
    """What the linker writes into the program."""
    why: str


KUBERNETES = ("k8s.io/kubernetes", "v1.34.4", "v0.34.4")
"""The module, its version, and that of the modules of which it is made."""
SERVING = ("knative.dev/serving", "v0.42.2")
"""The module and its version."""


def _kubernetes(program: str, why: str) -> Tool:
    module, version, staged = KUBERNETES
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    variables = {f"k8s.io/component-base/version.{name}": value for name, value in values.items()}
    return Tool(module=module, version=version, package=f"cmd/{program}", staged=staged, variables=variables, why=why)


def _serving(folder: str, why: str) -> Tool:
    return Tool(module=SERVING[0], version=SERVING[1], package=f"cmd/{folder}", why=why)


TOOLS = {
    "minio": Tool(
        module="github.com/minio/minio",
        version="v0.0.0-20260212201848-7aac2a2c5b7c",
        why="the object store; its community edition is distributed as source",
    ),
    "queue-proxy": _serving("queue", "what Knative puts before each copy of a function"),
    "knative-activator": _serving("activator", "holds the calls of a function until there is a copy that takes them"),
    "knative-autoscaler": _serving("autoscaler", "decides how many copies of a function there are"),
    "knative-controller": _serving("controller", "makes Deployments and addresses of Knative's Services"),
    "knative-webhook": _serving("webhook", "completes and checks what is given to Knative"),
    "kube-apiserver": _kubernetes("kube-apiserver", "takes manifests as a cluster does, or refuses them"),
    "kube-controller-manager": _kubernetes("kube-controller-manager", "makes Pods of Deployments and Jobs"),
    "kube-proxy": _kubernetes("kube-proxy", "leads the addresses of Services to Pods"),
    "kube-scheduler": _kubernetes("kube-scheduler", "chooses the node of each Pod"),
    "kubelet": _kubernetes("kubelet", "runs the Pods of a node"),
    "kubectl": _kubernetes("kubectl", "talks to a cluster"),
    "registry": Tool(
        module="github.com/distribution/distribution/v3",
        version="v3.0.0",
        package="cmd/registry",
        why="keeps the images that a cluster's nodes pull",
    ),
    "coredns": Tool(module="github.com/coredns/coredns", version="v1.12.4", why="answers for the names of Services"),
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
}
