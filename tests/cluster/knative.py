"""Knative Serving: the manifests of its own module, with images made here of its own programs."""

import re

import yaml

from infra.tools import install
from infra.tools.build import module_folder
from infra.tools.table import SERVING
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object

NAMESPACE = "knative-serving"
MODULE, VERSION = SERVING
INGRESS_CLASS = "caddy.ingress.networking.knative.dev"

PROGRAMS = {
    "queue": "queue-proxy",
    "controller": "knative-controller",
    "autoscaler": "knative-autoscaler",
    "activator": "knative-activator",
    "webhook": "knative-webhook",
}
"""The folder in Knative's cmd, and our name of the program."""

BESIDE = {
    "knative.dev/networking": ("certificate", "domain-claim", "ingress", "serverlessservice", "config-network"),
    "knative.dev/caching": ("image",),
}
"""Manifests of other modules; in Knative's repository there are links to them, which modules don't have."""

SETTINGS = {
    "config-network": {"ingress-class": INGRESS_CLASS},
}


def install_serving(cluster: Cluster, **autoscaler: str) -> None:
    """Install it and wait until it is ready.

    Args:
        autoscaler: settings of config-autoscaler, with underscores for hyphens.
    """
    for folder, program in PROGRAMS.items():
        cluster.registry.push_program(_image(folder), install(program), f"/ko-app/{folder}")
    objects = _objects(cluster)
    settings = SETTINGS | {"config-autoscaler": {name.replace("_", "-"): value for name, value in autoscaler.items()}}
    for each in objects:
        if each["kind"] == "ConfigMap":
            each["data"] |= settings.get(each["metadata"]["name"], {})
    kube = cluster.kube
    definitions = [each for each in objects if each["kind"] == "CustomResourceDefinition"]
    kube.apply(*definitions)
    kube.wait("condition=Established", *(f"crd/{each['metadata']['name']}" for each in definitions))
    first = [each for each in objects if each["kind"] == "Namespace"]
    webhooks = [each for each in objects if "Webhook" in each["kind"]]
    kube.apply(*first)
    kube.apply(*(each for each in objects if each not in (*definitions, *first, *webhooks)))
    kube.wait("condition=Available", f"--namespace={NAMESPACE}", "deployment", "--all")
    kube.apply(*webhooks)
    kube.until(lambda: _has_webhook_certificates(kube))


def _objects(cluster: Cluster) -> list[Object]:
    """Knative's manifests with our images; those that scale Knative's own parts need metrics and are left out."""
    folder = module_folder(MODULE, VERSION)
    core = folder / "config" / "core"
    paths = [path for path in sorted(core.rglob("*.yaml")) if not path.stem.endswith("-hpa")]
    for module, names in BESIDE.items():
        (version,) = re.findall(rf"^\s*{module} (\S+)", (folder / "go.mod").read_text(), re.MULTILINE)
        paths += [module_folder(module, version) / "config" / f"{name}.yaml" for name in names]
    found = []
    for path in paths:
        text = path.read_text()
        for program in PROGRAMS:
            text = text.replace(f"ko://{MODULE}/cmd/{program}", cluster.registry.image(_image(program)))
        found += [each for each in yaml.safe_load_all(text) if each]
    return found


def _image(program: str) -> str:
    return f"knative-{program}:{VERSION}"


def _has_webhook_certificates(kube: Kube) -> bool:
    """Whether Knative's webhook has told the API server how to trust it."""
    hooks = kube.items("validatingwebhookconfigurations") + kube.items("mutatingwebhookconfigurations")
    return all(each["clientConfig"].get("caBundle") for hook in hooks for each in hook["webhooks"])
