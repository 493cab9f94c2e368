"""Copies of a function go to different nodes, as its manifest asks for, and calls are answered there."""

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from tests.cluster.cluster import Cluster, temporary_cluster
from tests.cluster.functions import NAMESPACE, Manifests, copies, ready_copies, with_scale
from tests.cluster.ingress import Ingress
from tests.cluster.on_knative import SECONDS, Watermark


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two nodes, whose Pods reach each other."""
    with temporary_cluster(nodes=2) as running:
        yield running


def test_copies_land_on_different_nodes_and_answer_there(
    cluster: Cluster, serving: Ingress, manifests: Manifests
) -> None:
    cluster.kube.apply(with_scale(manifests.function("watermark"), min_scale="2", max_scale="2"))
    cluster.kube.wait("condition=Ready", f"--namespace={NAMESPACE}", "ksvc/watermark", seconds=SECONDS)
    cluster.kube.until(lambda: ready_copies(cluster.kube, "watermark") == len(cluster.machines), SECONDS)
    nodes = {each["spec"]["nodeName"] for each in copies(cluster.kube, "watermark")}
    assert nodes == {machine.name for machine in cluster.machines}
    with closing(Watermark(serving)) as watermark:
        assert {watermark.mark().status_code for _ in range(20)} == {httpx.codes.OK}
