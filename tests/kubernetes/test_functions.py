"""Every function of stack.yml is on each platform as the file says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.connector.stack import schedules_of, subscriptions_of
from infra.kubernetes.functions import deployed_stack, workloads_of
from infra.kubernetes.render import render
from infra.kubernetes.target import Target
from infra.project import ROOT, STACK
from infra.stack import read_stack
from tests.kubernetes.rendered import Rendered, targets

DECLARED: dict[str, Any] = yaml.safe_load((ROOT / "stack.yml").read_text())["functions"]
KNATIVE = Rendered(targets()["knative"])
OPENFAAS = Rendered(targets()["openfaas"])


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


@pytest.mark.parametrize("name", DECLARED)
def test_a_function_is_the_same_on_both_platforms(name: str) -> None:
    declared, entry = DECLARED[name], OPENFAAS.stack[name]
    pod = KNATIVE.knative()[name]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == entry["image"] == f"registry.example.com/countermark/{name}:1.2.3"
    told = entry["environment"] | {"BIND": "0.0.0.0", "LINE_SHARE": "64"}  # noqa: S104 -- in a pod of its own
    assert environment(container) == told
    assert declared["environment"].items() <= entry["environment"].items()
    assert container["resources"] == {"requests": declared["requests"], "limits": declared["limits"]}
    assert (entry["requests"], entry["limits"]) == (declared["requests"], declared["limits"])
    mounted = [source["secret"]["name"] for source in pod["volumes"][0]["projected"]["sources"]]
    assert mounted == entry["secrets"] == [f"countermark-{name}"]


def test_one_owner_has_twice_as_many_images_in_line_as_all_copies_work_on() -> None:
    assert (
        environment(KNATIVE.knative()["watermark"]["spec"]["template"]["spec"]["containers"][0])["LINE_SHARE"] == "64"
    )
    assert {entry["environment"]["LINE_SHARE"] for entry in OPENFAAS.stack.values()} == {"20"}


@pytest.mark.parametrize("name", DECLARED)
def test_knative_gives_a_copy_what_it_takes_and_the_time_that_it_may_take(name: str) -> None:
    declared, pod = DECLARED[name], KNATIVE.knative()[name]["spec"]["template"]["spec"]
    (workload,) = [each for each in KNATIVE.workloads if each.name == name]
    assert pod["containerConcurrency"] == int(declared["environment"]["max_inflight"])
    assert pod["timeoutSeconds"] == min(workload.seconds, 600)


def test_what_people_call_does_not_leave_and_what_messages_call_may() -> None:
    scale = {
        name: {
            key.rpartition("/")[2]: value for key, value in notes["spec"]["template"]["metadata"]["annotations"].items()
        }
        for name, notes in KNATIVE.knative().items()
    }
    assert {name: each["min-scale"] for name, each in scale.items()} == {
        name: "1" if notes["annotations"].get("countermark/public") else "0" for name, notes in DECLARED.items()
    }
    assert scale["watermark"]["max-scale"] == "16"  # 32 messages in flight, 2 a copy
    assert scale["watermark"]["target-burst-capacity"] == "-1"


@pytest.mark.parametrize("rendering", [KNATIVE, OPENFAAS], ids=["knative", "openfaas"])
def test_the_connector_reads_the_same_subscriptions_as_on_one_machine(rendering: Rendered, tmp_path: Path) -> None:
    path = tmp_path / "stack.yml"
    path.write_text(rendering.one("ConfigMap", "connector")["data"]["stack.yml"])
    here, there = read_stack(ROOT / "stack.yml", {}), read_stack(path, {})
    assert subscriptions_of(there) == subscriptions_of(here)
    assert schedules_of(there) == schedules_of(here)


def test_openfaas_gets_nothing_that_its_community_edition_refuses() -> None:
    assert len(OPENFAAS.stack) <= 15
    for entry in OPENFAAS.stack.values():
        labels = {key.removeprefix("com.openfaas.scale."): value for key, value in (entry.get("labels") or {}).items()}
        assert labels.keys() <= {"min", "max"}
        assert all(int(labels.get(limit, 1)) <= 5 for limit in ("min", "max"))
        assert "," not in entry["annotations"].get("topic", "")


def test_keda_counts_the_images_that_wait_within_what_openfaas_allows() -> None:
    spec = OPENFAAS.one("ScaledObject", "watermark")["spec"]
    (trigger,) = spec["triggers"]
    labels = OPENFAAS.stack["watermark"]["labels"]
    assert trigger["metadata"]["query"] == "SELECT count(*) FROM images WHERE state = 'waiting'"
    assert trigger["metadata"]["targetQueryValue"] == "4"  # two in work, two that wait
    assert str(spec["minReplicaCount"]) == labels["com.openfaas.scale.min"]
    assert str(spec["maxReplicaCount"]) == labels["com.openfaas.scale.max"]


def test_keda_has_its_way_into_the_database_from_a_secret(tmp_path: Path) -> None:
    (trigger,) = OPENFAAS.one("ScaledObject", "watermark")["spec"]["triggers"]
    access = OPENFAAS.one("TriggerAuthentication", trigger["authenticationRef"]["name"])
    (source,) = access["spec"]["secretTargetRef"]
    (secret,) = [each for each in OPENFAAS.secrets(tmp_path) if each["metadata"]["name"] == source["name"]]
    assert secret["metadata"]["namespace"] == access["metadata"]["namespace"] == "openfaas-fn"
    connection = secret["stringData"][source["key"]]
    assert "@postgres-rw.countermark.svc.cluster.local:5432/countermark?sslmode=require" in connection


def test_a_function_that_is_added_to_the_stack_file_is_rendered(tmp_path: Path) -> None:
    stack = yaml.safe_load(STACK.read_text())
    stack["functions"]["convert"] = {
        "lang": "python3-countermark",
        "handler": "./functions/convert",
        "image": "${REGISTRY:-countermark}/convert:${TAG:-latest}",
        "environment": {"exec_timeout": "90s"},
        "secrets": ["countermark-convert"],
        "annotations": {"topic": "images.convert", "countermark/concurrency": "9"},
    }
    path = tmp_path / "stack.yml"
    path.write_text(yaml.safe_dump(stack))
    target = Target(platform="knative", registry="r", tag="1")
    found = {each.name: each for each in workloads_of(deployed_stack(target, path))}["convert"]
    assert (found.function.image, found.seconds, found.max_scale, found.min_scale) == ("r/convert:1", 90, 3, 0)


def test_messages_by_knative_eventing_come_to_the_same_functions_with_every_delivery_field() -> None:
    triggers = [each for each in yaml.safe_load_all(KNATIVE.files["eventing.yaml"]) if each["kind"] == "Trigger"]
    subscribed = {each.name for each in KNATIVE.workloads if each.function.topic}
    assert {each["metadata"]["name"] for each in triggers} == subscribed
    types = {each["metadata"]["name"]: each["spec"]["filters"][0] for each in triggers}
    assert types["watermark"] == {"exact": {"type": "images.waiting"}}
    assert types["drop"] == {"exact": {"type": "objects.created"}}
    assert types["reconcile"] == {"prefix": {"type": "reconcile."}}
    for each in triggers:
        assert {"retry", "backoffPolicy", "backoffDelay", "timeout", "deadLetterSink"} == each["spec"][
            "delivery"
        ].keys()
    assert "eventing.yaml" not in yaml.safe_load(render(KNATIVE.target)["kustomization.yaml"])["resources"]
