"""Every manifest is what its kind allows, field by field, and nothing careless is in it."""

import json
import subprocess
from pathlib import Path

import pytest

from infra.kubernetes.render import render
from infra.tools import install
from infra.tools.schemas import LOCATION, schemas
from tests.kubernetes.rendered import Rendered, targets

NOT_TO_BE_HAD = "Cluster,Pooler"
"""CloudNativePG's: where its definitions are, the API server of a cluster holds them against those."""


def kubeconform(*paths: Path) -> list[dict[str, str]]:
    """What is wrong in some files."""
    command = [install("kubeconform"), "-strict", "-output", "json", "-skip", NOT_TO_BE_HAD]
    location = ["-schema-location", f"{schemas()}/{LOCATION}"]
    done = subprocess.run([*command, *location, *paths], capture_output=True, text=True, check=False)
    wrong: list[dict[str, str]] = json.loads(done.stdout)["resources"]
    assert (done.returncode == 0) == (not wrong), done.stderr
    return wrong


def test_every_manifest_has_the_schema_of_its_kind(rendered: Rendered, tmp_path: Path) -> None:
    assert kubeconform(*rendered.write(tmp_path)) == []


@pytest.mark.parametrize(
    ("platform", "name", "right", "wrong"),
    [
        ("knative", "functions.yaml", "containerConcurrency:", "containerConcurency:"),
        ("knative", "minio.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"),
        ("knative", "gateway.yaml", "issuerRef:", "issuer:"),
        ("openfaas", "keda.yaml", "minReplicaCount: 1", "minReplicaCount: one"),
        ("openfaas", "monitoring.yaml", "portNumber: 8080", "port: 8080"),
    ],
)
def test_a_wrong_field_would_be_found(tmp_path: Path, platform: str, name: str, right: str, wrong: str) -> None:
    text = render(targets()[platform])[name]
    assert right in text
    path = tmp_path / name
    path.write_text(text.replace(right, wrong))
    assert kubeconform(path)


def test_nothing_careless_is_found(rendered: Rendered, tmp_path: Path) -> None:
    command = [install("kube-score"), "score", "--output-format", "ci", "--kubernetes-version", "v1.34"]
    done = subprocess.run([*command, *rendered.write(tmp_path)], capture_output=True, text=True, check=False)
    findings = [line for line in done.stdout.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))]
    assert done.stdout.count("[OK]") > 30
    assert findings == []
