"""Network policies as a cluster applies them: who may open a connection to whom."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Policy = dict[str, Any]

NAMESPACE = "kubernetes.io/metadata.name"
"""The label that every namespace has."""


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod, as policies see it."""

    namespace: str
    labels: dict[str, str]


def connects(policies: list[Policy], source: Pod, to: Pod, port: int, protocol: str = "TCP") -> bool:
    """Whether the source may leave for it, and it lets the source in."""
    return _allows(policies, "Egress", source, to, port, protocol) and _allows(
        policies, "Ingress", to, source, port, protocol
    )


def _allows(policies: list[Policy], way: str, own: Pod, other: Pod, port: int, protocol: str) -> bool:
    """A pod that no policy of this way selects is open; one that some do needs one of them to allow it."""
    selecting = [each for each in policies if way in each["spec"]["policyTypes"] and _selects(each, own)]
    if not selecting:
        return True
    return any(
        _matches_port(rule, port, protocol) and _matches_peer(rule, way, policy, other)
        for policy in selecting
        for rule in policy["spec"].get(way.lower(), [])
    )


def _selects(policy: Policy, pod: Pod) -> bool:
    return policy["metadata"]["namespace"] == pod.namespace and _matches(policy["spec"]["podSelector"], pod.labels)


def _matches_port(rule: Policy, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    return ports is None or any(each["port"] == port and each.get("protocol", "TCP") == protocol for each in ports)


def _matches_peer(rule: Policy, way: str, policy: Policy, other: Pod) -> bool:
    peers = rule.get("from" if way == "Ingress" else "to")
    if peers is None:
        return True
    for peer in peers:
        assert peer.keys() <= {"podSelector", "namespaceSelector"}
        if "namespaceSelector" in peer:
            here = _matches(peer["namespaceSelector"], {NAMESPACE: other.namespace})
        else:
            here = other.namespace == policy["metadata"]["namespace"]
        if here and _matches(peer.get("podSelector", {}), other.labels):
            return True
    return False


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return all(_requirements(selector, labels))


def _requirements(selector: dict[str, Any], labels: dict[str, str]) -> Iterator[bool]:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    for key, value in selector.get("matchLabels", {}).items():
        yield labels.get(key) == value
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        yield labels.get(expression["key"]) in expression["values"]
