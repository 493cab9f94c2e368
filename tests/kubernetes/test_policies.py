"""The flow gets through the network policies, and nothing else does."""

import pytest

from tests.kubernetes.network import Pod, connects
from tests.kubernetes.rendered import Rendered, targets

STRANGER = Pod(namespace="default", labels={"app": "something"})
DNS = Pod(namespace="kube-system", labels={"k8s-app": "kube-dns"})
PROMETHEUS = Pod(namespace="monitoring", labels={"app.kubernetes.io/name": "prometheus"})
INGRESS = Pod(namespace="traefik", labels={"app.kubernetes.io/name": "traefik"})
KEDA = Pod(namespace="keda", labels={"app": "keda-operator"})
KOURIER = Pod(namespace="kourier-system", labels={"app": "3scale-kourier-gateway"})
ACTIVATOR = Pod(namespace="knative-serving", labels={"app": "activator"})
AUTOSCALER = Pod(namespace="knative-serving", labels={"app": "autoscaler"})
OPENFAAS = Pod(namespace="openfaas", labels={"app": "gateway"})
OPERATOR = Pod(namespace="cnpg-system", labels={"app.kubernetes.io/name": "cloudnative-pg"})


class Pods:
    """The pods of a deployment by name."""

    def __init__(self, rendered: Rendered) -> None:
        space = rendered.target.namespace
        self.by_name = {
            each["metadata"]["name"]: Pod(namespace=space, labels=template["metadata"]["labels"])
            for each, template in rendered.pods()
            if not each["apiVersion"].startswith("serving")
        }
        self.by_name["nats"] = Pod(namespace=space, labels={"app.kubernetes.io/name": "nats"})
        self.by_name["postgres"] = Pod(namespace=space, labels={"cnpg.io/cluster": "postgres"})
        pooler = rendered.one("Pooler", "postgres-pooler")["spec"]["template"]["metadata"]["labels"]
        self.by_name["pooler"] = Pod(namespace=space, labels=pooler)
        label = "faas_function" if rendered.target.platform == "openfaas" else "serving.knative.dev/service"
        self.functions = [
            Pod(namespace=rendered.target.functions_namespace, labels={label: each.name}) for each in rendered.workloads
        ]


def flow(rendered: Rendered) -> list[tuple[Pod, Pod, int]]:
    """Every connection that an image needs on its way, and that somebody needs who watches it."""
    pods = Pods(rendered)
    own, functions = pods.by_name, pods.functions
    ways = [(INGRESS, own["gateway"], 8080), (own["connector"], own["nats"], 4222), (own["nats"], own["nats"], 6222)]
    ways += [(own["pooler"], own["postgres"], 5432), (own["postgres"], own["postgres"], 5432)]
    ways += [(OPERATOR, own["postgres"], 8000)]
    if rendered.target.platform == "openfaas":
        ways.append((KEDA, own["postgres"], 5432))
    ways += [(PROMETHEUS, own[name], port) for name, port in (("connector", 8082), ("nats", 7777), ("postgres", 9187))]
    ways += [(PROMETHEUS, function, 8080) for function in functions]
    ways += [(function, own[name], port) for function in functions for name, port in (("nats", 4222), ("pooler", 5432))]
    for caller in (own["connector"], own["gateway"]):
        ways.append((caller, OPENFAAS, 8080) if rendered.target.platform == "openfaas" else (caller, KOURIER, 8081))
    for function in functions:
        if rendered.target.platform == "openfaas":
            ways.append((OPENFAAS, function, 8080))
        else:
            ways += [(KOURIER, function, 8012), (ACTIVATOR, function, 8012), (AUTOSCALER, function, 9090)]
    if not rendered.target.store:
        store = own["minio"]
        ways += [(store, store, 9000), (store, own["nats"], 4222), (PROMETHEUS, store, 9000)]
        ways += [(each, store, 9000) for each in (own["gateway"], own["store-setup"], *functions)]
    return ways


def test_the_flow_gets_through(rendered: Rendered) -> None:
    policies = rendered.all("NetworkPolicy")
    shut = [way for way in flow(rendered) if not connects(policies, *way)]
    assert shut == []


def test_everybody_of_ours_resolves_names(rendered: Rendered) -> None:
    pods = Pods(rendered)
    for pod in (*pods.by_name.values(), *pods.functions):
        assert connects(rendered.all("NetworkPolicy"), pod, DNS, 53, "UDP")


def test_without_a_policy_a_part_of_the_flow_would_stop(rendered: Rendered) -> None:
    policies = rendered.all("NetworkPolicy")
    for name in ("nats", "connector", "gateway", "countermark-functions", "postgres-pooler"):
        others = [each for each in policies if each["metadata"]["name"] != name]
        if rendered.target.platform == "openfaas" and name == "countermark-functions":
            continue  # the namespace is not ours, so nothing closes it but this policy
        assert [way for way in flow(rendered) if not connects(others, *way)], name


@pytest.mark.parametrize("port", [4222, 5432, 8012, 8080, 8082, 8222, 9000])
def test_a_stranger_gets_nowhere(rendered: Rendered, port: int) -> None:
    pods = Pods(rendered)
    for pod in (*pods.by_name.values(), *pods.functions):
        assert not connects(rendered.all("NetworkPolicy"), STRANGER, pod, port)


def test_messages_come_to_functions_from_the_connector_alone(rendered: Rendered) -> None:
    pods = Pods(rendered)
    policies = rendered.all("NetworkPolicy")
    entrance = (OPENFAAS, 8080) if rendered.target.platform == "openfaas" else (KOURIER, 8081)
    reach = {name for name, pod in pods.by_name.items() if connects(policies, pod, *entrance)}
    assert reach == {"connector", "gateway"}  # and the gateway takes off what says that it is a message
    for pod in (*pods.by_name.values(), *pods.functions):
        assert not any(connects(policies, pod, function, port) for function in pods.functions for port in (8012, 8080))


def test_what_does_not_need_the_stream_or_the_database_does_not_reach_it(rendered: Rendered) -> None:
    pods = Pods(rendered)
    policies = rendered.all("NetworkPolicy")
    for name in ("gateway", "store-setup"):
        assert not connects(policies, pods.by_name[name], pods.by_name["nats"], 4222)
        assert not connects(policies, pods.by_name[name], pods.by_name["pooler"], 5432)
    assert not connects(policies, pods.by_name["connector"], pods.by_name["pooler"], 5432)


def test_other_functions_in_openfaas_namespace_are_left_alone() -> None:
    policies = Rendered(targets()["openfaas"]).all("NetworkPolicy")
    other = Pod(namespace="openfaas-fn", labels={"faas_function": "somebody-elses"})
    assert connects(policies, STRANGER, other, 8080)
    assert connects(policies, other, STRANGER, 443)
