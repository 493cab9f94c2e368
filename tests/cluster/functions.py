"""The functions on the cluster: the project's own manifests, and what a test changes in them."""

import subprocess
import sys
from pathlib import Path

import yaml

from infra.project import ROOT
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object

TAG = "test"
NAMESPACE = "countermark"
URL = "https://photos.example.com"
SECONDS_TO_BE_READY = 300


class Manifests:
    """What ``python -m infra.kubernetes`` writes for Knative.

    Args:
        folder: for the files.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._folder = folder
        self._run("render", "knative", f"--registry={cluster.registry.name}", f"--tag={TAG}", f"--url={URL}")
        self._run("secrets", "knative", out="--folder")

    @property
    def serving(self) -> str:
        """What Knative must allow, as a patch of its ConfigMap config-features."""
        return self._read("serving.yaml")

    @property
    def drop_keys(self) -> tuple[str, str]:
        """The key pair of the drop bucket, that is for people."""
        access, secret = (self._read(f"people-{kind}-key") for kind in ("access", "secret"))
        return access, secret

    def objects(self, *names: str) -> list[Object]:
        """The objects of some of the files, such as ``namespace``."""
        return [each for name in names for each in yaml.safe_load_all(self._read(f"{name}.yaml"))]

    def function(self, name: str) -> Object:
        """The Knative Service of a function."""
        (found,) = [each for each in self.objects("functions") if each["metadata"]["name"] == name]
        return found

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text()

    def _run(self, *words: str, out: str = "--out") -> None:
        command = [sys.executable, "-m", "infra.kubernetes", *words, f"{out}={self._folder}"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def small(*objects: Object) -> list[Object]:
    """The same, asking for little of the node: this machine may have two processors."""
    for each in objects:
        spec = each.get("spec", {}).get("template", {}).get("spec", {})
        for container in spec.get("containers", []):
            container["resources"]["requests"] |= {"cpu": "10m", "memory": "64Mi"}
    return list(objects)


def with_scale(service: Object, **changes: str) -> Object:
    """A Knative Service whose copies come and go otherwise: ``min_scale="0"``."""
    template = service["spec"]["template"]
    for name, value in changes.items():
        template["metadata"]["annotations"][f"autoscaling.knative.dev/{name.replace('_', '-')}"] = value
    (changed,) = small(service)
    return changed


def copies(kube: Kube, function: str) -> list[Object]:
    """The Pods of a function that are not leaving."""
    found = kube.items("pods", f"--namespace={NAMESPACE}", f"--selector=serving.knative.dev/service={function}")
    return [each for each in found if "deletionTimestamp" not in each["metadata"]]


def ready_copies(kube: Kube, function: str) -> int:
    """How many take calls."""
    return sum(_is_ready(each) for each in copies(kube, function))


def _is_ready(pod: Object) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"
