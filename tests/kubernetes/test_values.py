"""The values for other people's charts fit what is rendered."""

from typing import Any

import durationpy
import pytest
import yaml

from infra.project import ROOT
from tests.kubernetes.rendered import Rendered, targets


def values(chart: str) -> Any:
    return yaml.safe_load((ROOT / "infra" / "kubernetes" / "values" / f"{chart}.yaml").read_text())


def seconds(duration: str) -> float:
    return float(durationpy.from_str(duration).total_seconds())


def test_openfaas_waits_longer_than_any_function_takes() -> None:
    entries = Rendered(targets()["openfaas"]).stack.values()
    longest = max(seconds(entry["environment"][key]) for entry in entries for key in ("exec_timeout", "write_timeout"))
    gateway, provider = values("openfaas")["gateway"], values("openfaas")["faasnetes"]
    assert longest < seconds(gateway["upstreamTimeout"]) < seconds(gateway["writeTimeout"])
    assert seconds(gateway["upstreamTimeout"]) < seconds(provider["writeTimeout"])


def test_the_ingress_waits_as_long_as_the_longest_call_of_a_person() -> None:
    longest = max(each.seconds for each in Rendered(targets()["knative"]).workloads if each.function.public)
    limits = values("traefik")["ports"]["websecure"]["transport"]["respondingTimeouts"].values()
    behind = seconds(values("openfaas")["gateway"]["writeTimeout"])
    assert all(seconds(limit) > max(longest, behind) for limit in limits)


@pytest.mark.parametrize("part", ["container", "reloader", "promExporter"])
def test_every_container_of_the_stream_is_restricted_and_bounded(part: str) -> None:
    merged = values("nats")[part]["merge"]
    assert merged["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert merged["securityContext"]["allowPrivilegeEscalation"] is False
    assert merged["resources"].keys() == {"requests", "limits"}


def test_the_stream_has_as_many_servers_as_the_connector_wants_copies() -> None:
    connector = Rendered(targets()["knative"]).one("Deployment", "connector")["spec"]["template"]["spec"]
    wanted = {each["name"]: each["value"] for each in connector["containers"][0]["env"]}["STREAM_REPLICAS"]
    assert values("nats")["config"]["cluster"] == {"enabled": True, "replicas": int(wanted)}


def test_what_the_stream_confirms_is_on_its_disks_and_a_server_that_cannot_write_is_started_again() -> None:
    stream = values("nats")["config"]["jetstream"]
    assert stream["merge"]["sync_interval"] == "always"
    assert stream["fileStore"]["maxSize"]  # else it follows from the room that the disk has at the start
    assert values("nats")["container"]["merge"]["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_streams_users_are_mounted_where_its_configuration_includes_them() -> None:
    nats = values("nats")
    (mount,) = [each["value"] for each in nats["container"]["patch"]]
    (volume,) = [each["value"] for each in nats["podTemplate"]["patch"]]
    assert nats["config"]["merge"]["$include"] == f"..{mount['mountPath'].removeprefix('/etc')}/users.conf"
    assert volume["name"] == mount["name"]
    assert volume["secret"]["secretName"] == "countermark-nats"


def test_grafana_looks_for_the_label_of_the_dashboard() -> None:
    sidecar = values("prometheus")["grafana"]["sidecar"]["dashboards"]
    labels = Rendered(targets()["knative"]).one("ConfigMap", "countermark-dashboard")["metadata"]["labels"]
    assert labels[sidecar["label"]] == sidecar["labelValue"]
