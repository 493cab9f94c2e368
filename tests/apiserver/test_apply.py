"""A real API server takes everything that is rendered, and would admit every pod under the restricted standard."""

import copy
import json
from typing import Any

import pytest
import yaml

from tests.apiserver.conftest import MORE
from tests.apiserver.server import ApiServer
from tests.kubernetes.rendered import Rendered, targets

WITHOUT_DEFINITION = [] if MORE else ["postgres.yaml"]
"""CloudNativePG's kinds; without their definition no server knows them."""
NOT_OF_A_POD = {"containerConcurrency", "timeoutSeconds"}


@pytest.fixture(scope="module", params=["knative", "openfaas"])
def applied(request: pytest.FixtureRequest, server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """A deployment that the server has taken, in the order of the guide: secrets after the namespace, then the rest."""
    rendered, folder = Rendered(targets()[request.param]), tmp_path_factory.mktemp(request.param)
    rendered.write(folder)
    kustomization = yaml.safe_load(rendered.files["kustomization.yaml"])
    kustomization["resources"] = [name for name in kustomization["resources"] if name not in WITHOUT_DEFINITION]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    rendered.secrets(folder / "secrets")
    server.must("apply", "--server-side", "--validate=strict", "-f", folder / "namespace.yaml")
    server.must("apply", "--server-side", "--validate=strict", "-f", folder / "secrets" / "secrets.yaml")
    said = server.must("apply", "--server-side", "--validate=strict", "-k", folder)
    assert said.count("serverside-applied") == sum(
        len(list(yaml.safe_load_all(rendered.files[name]))) for name in kustomization["resources"]
    )
    again = server.must("apply", "--server-side", "--validate=strict", "-k", folder)
    assert again.count("serverside-applied") == said.count("serverside-applied")
    if not server.must("get", "serviceaccounts", "-n", rendered.target.namespace, "-o", "name").count("/default"):
        server.must("create", "serviceaccount", "default", "-n", rendered.target.namespace)  # no controller does it
    return rendered


def pod_of(owner: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The pod that a controller would make for an object."""
    template = copy.deepcopy(owner["spec"]["template"])
    spec = {key: value for key, value in template["spec"].items() if key not in NOT_OF_A_POD}
    if owner["apiVersion"].startswith("serving"):  # Knative probes the container's one port
        for probe in ("readinessProbe", "livenessProbe"):
            spec["containers"][0][probe]["httpGet"]["port"] = spec["containers"][0]["ports"][0]["containerPort"]
    for claim in owner["spec"].get("volumeClaimTemplates", []):
        name = claim["metadata"]["name"]
        spec["volumes"].append(
            {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{owner['metadata']['name']}-0"}}
        )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "generateName": "would-be-", "namespace": namespace},
        "spec": spec,
    }


def test_every_object_is_kept_with_every_field(server: ApiServer, applied: Rendered) -> None:
    for each in applied.applied:
        if f"{each['kind']}".startswith(("Cluster", "Pooler")) and not MORE:
            continue
        group, _, version = each["apiVersion"].rpartition("/")
        kind = f"{each['kind']}.{version}.{group}"
        space = each["metadata"].get("namespace")
        where = ["-n", space] if space else []
        kept = json.loads(server.must("get", kind, each["metadata"]["name"], *where, "-o", "json"))
        for field in each.get("spec", {}):
            assert field in kept["spec"], (kind, field)


def test_every_pod_would_be_admitted_under_the_restricted_standard(server: ApiServer, applied: Rendered) -> None:
    pods = [pod_of(owner, applied.target.namespace) for owner, _ in applied.pods()]
    assert len(pods) >= 4
    for pod in pods:
        said = server.kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps(pod))
        assert said.returncode == 0, said.stderr
        assert "would violate" not in said.stderr


@pytest.mark.parametrize("field", ["runAsNonRoot", "allowPrivilegeEscalation", "capabilities"])
def test_a_pod_without_its_care_would_be_refused(server: ApiServer, applied: Rendered, field: str) -> None:
    pod = pod_of(applied.one("Deployment", "connector"), applied.target.namespace)
    del pod["spec"]["containers"][0]["securityContext"][field]
    pod["spec"].pop("securityContext", None)
    said = server.kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps(pod))
    assert "violates PodSecurity" in said.stderr


def test_a_wrong_field_would_be_refused(server: ApiServer, applied: Rendered) -> None:
    wrong = copy.deepcopy(applied.one("Deployment", "connector"))
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    said = server.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", given=json.dumps(wrong))
    assert "readynessProbe" in said.stderr


@pytest.mark.skipif(not MORE, reason="COUNTERMARK_DEFINITIONS names no file with CloudNativePG's definitions")
def test_the_database_is_taken_by_its_operators_definitions(server: ApiServer, applied: Rendered) -> None:
    assert server.must("get", "clusters.postgresql.cnpg.io", "postgres", "-n", applied.target.namespace)
