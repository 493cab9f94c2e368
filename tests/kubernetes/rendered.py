"""A rendered deployment, as objects."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from infra.kubernetes.credentials import make_secrets
from infra.kubernetes.functions import deployed_stack, workloads_of
from infra.kubernetes.render import render
from infra.kubernetes.target import Target

Object = dict[str, Any]


def targets() -> dict[str, Target]:
    """Deployments of each shape, by name."""
    common = {"registry": "registry.example.com/countermark", "tag": "1.2.3", "url": "https://photos.example.com"}
    elsewhere = common | {"namespace": "photos", "pull_secret": "registry"}
    return {
        "knative": Target(platform="knative", **common),
        "openfaas": Target(platform="openfaas", **common),
        "knative-elsewhere": Target(platform="knative", store="https://s3.example.com", **elsewhere),
        "openfaas-elsewhere": Target(platform="openfaas", store="http://10.0.0.9:9000", **elsewhere),
    }


class Rendered:
    """What a person gets who renders a deployment."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.files = render(target)
        self.workloads = workloads_of(deployed_stack(target))

    @cached_property
    def stack(self) -> dict[str, Object]:
        """The entries of the rendered stack file."""
        functions: dict[str, Object] = yaml.safe_load(self.files["stack.yml"])["functions"]
        return functions

    @cached_property
    def applied(self) -> list[Object]:
        """Every object that the kustomization names."""
        names = yaml.safe_load(self.files["kustomization.yaml"])["resources"]
        return [each for name in names for each in yaml.safe_load_all(self.files[name])]

    def all(self, kind: str, group: str = "") -> list[Object]:
        """The applied objects of a kind."""
        return [each for each in self.applied if each["kind"] == kind and each["apiVersion"].startswith(group)]

    def one(self, kind: str, name: str, group: str = "") -> Object:
        """One applied object."""
        (found,) = [each for each in self.all(kind, group) if each["metadata"]["name"] == name]
        return found

    def knative(self) -> dict[str, Object]:
        """Knative's Services by name."""
        return {each["metadata"]["name"]: each for each in self.all("Service", "serving.knative.dev")}

    def pods(self) -> Iterator[tuple[Object, Object]]:
        """Each object that makes pods, and the pod that it makes."""
        for each in self.applied:
            template = (each.get("spec") or {}).get("template")
            if each["kind"] in {"Deployment", "StatefulSet", "Job"} or each["apiVersion"].startswith("serving.knative"):
                yield each, template

    def secrets(self, folder: Path) -> list[Object]:
        """The Secrets, made in a folder."""
        make_secrets(self.target, folder)
        return list(yaml.safe_load_all((folder / "secrets.yaml").read_text()))

    def write(self, folder: Path) -> list[Path]:
        """The files that are applied, in a folder."""
        names = yaml.safe_load(self.files["kustomization.yaml"])["resources"]
        for name in names:
            (folder / name).write_text(self.files[name])
        return [folder / name for name in names]
