"""What a manifest names is there, and every pod is held to the same care."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.kubernetes.rendered import Rendered


def volumes(pod: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of what a pod mounts."""
    for volume in pod.get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        elif "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        elif "projected" in volume:
            yield from (("Secret", source["secret"]["name"]) for source in volume["projected"]["sources"])
        else:
            assert "emptyDir" in volume


def test_every_secret_and_configuration_that_is_named_is_there(rendered: Rendered, tmp_path: Path) -> None:
    made = [*rendered.applied, *rendered.secrets(tmp_path / "secrets")]
    there = {
        (each["kind"], each["metadata"]["namespace"], each["metadata"]["name"])
        for each in made
        if "metadata" in each and each["kind"] in {"Secret", "ConfigMap"}
    }
    named = {
        (kind, each["metadata"]["namespace"], name)
        for each, template in rendered.pods()
        for kind, name in volumes(template["spec"])
    }
    for entry in rendered.stack.values():
        named |= {("Secret", rendered.target.functions_namespace, name) for name in entry["secrets"]}
    named.add(
        (
            "Secret",
            rendered.target.namespace,
            rendered.one("Cluster", "postgres")["spec"]["bootstrap"]["initdb"]["secret"]["name"],
        )
    )
    assert named - there == set()
    elsewhere = {"countermark-nats", "countermark-dashboard", "countermark-keda"}  # Helm, Grafana, KEDA
    unused = {name for _, _, name in there - named} - elsewhere
    assert unused == set()


def test_every_image_has_the_tag_and_comes_from_the_registry(rendered: Rendered) -> None:
    images = {container["image"] for _, template in rendered.pods() for container in template["spec"]["containers"]}
    images |= {entry["image"] for entry in rendered.stack.values()}
    assert len(images) >= 8
    for image in images:
        assert image.startswith("registry.example.com/countermark/")
        assert image.endswith(":1.2.3")


def test_every_pod_names_the_secret_of_a_private_registry(rendered: Rendered) -> None:
    wanted = [{"name": rendered.target.pull_secret}] if rendered.target.pull_secret else None
    pods = [template["spec"] for _, template in rendered.pods()]
    assert pods
    assert [pod.get("imagePullSecrets") for pod in pods] == [wanted] * len(pods)


def test_every_port_that_is_named_is_one_of_the_pod(rendered: Rendered) -> None:
    pods = {each["metadata"]["name"]: template for each, template in rendered.pods()}
    services = rendered.all("Service", "v1")
    assert services
    for service in services:
        labels = service["spec"]["selector"]
        ports = {port["name"] for port in pods[labels["app.kubernetes.io/name"]]["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for monitor in rendered.all("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = [each for each in services if wanted <= each["metadata"]["labels"].items()]
        assert monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
    (rule,) = rendered.one("Ingress", "gateway")["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend["port"]["name"] in {
        port["name"] for port in rendered.one("Service", backend["name"], "v1")["spec"]["ports"]
    }


def test_every_pod_is_restricted_and_bounded(rendered: Rendered) -> None:
    for each, template in rendered.pods():
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["runAsNonRoot"], each["metadata"]["name"]
            assert security["readOnlyRootFilesystem"], each["metadata"]["name"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys() & container["resources"][
                "limits"
            ].keys()


def test_what_has_more_than_one_copy_is_spread_and_never_all_gone(rendered: Rendered) -> None:
    budgets = {each["metadata"]["name"] for each in rendered.all("PodDisruptionBudget")}
    several = [(each, template) for each, template in rendered.pods() if each["spec"].get("replicas", 1) > 1]
    assert several
    for each, template in several:
        assert each["metadata"]["name"] in budgets
        keys = {constraint["topologyKey"] for constraint in template["spec"]["topologySpreadConstraints"]}
        assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def test_a_connector_that_leaves_has_time_for_its_longest_call(rendered: Rendered) -> None:
    longest = max(each.seconds for each in rendered.workloads if each.function.topic)
    assert (
        rendered.one("Deployment", "connector")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > longest
    )
