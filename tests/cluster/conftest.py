"""The cluster for the tests of this folder, and what they have on it; they need root, and Linux's own containers."""

from collections.abc import Iterator

import pytest

from tests.cluster.built import Builder
from tests.cluster.cluster import Cluster, temporary_cluster
from tests.cluster.functions import TAG, Manifests
from tests.cluster.ingress import Ingress, ingress_for
from tests.cluster.knative import install_serving
from tests.platform_driver import temporary_folder


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One node, started once."""
    with temporary_cluster() as running:
        yield running


@pytest.fixture(scope="session")
def manifests(cluster: Cluster) -> Iterator[Manifests]:
    """The project's own, with our registry; the namespace and the secrets are there."""
    with temporary_folder() as folder:
        rendered = Manifests(cluster, folder)
        cluster.kube.apply(*rendered.objects("namespace", "secrets"))
        yield rendered


@pytest.fixture(scope="session")
def serving(cluster: Cluster, manifests: Manifests) -> Iterator[Ingress]:
    """Knative Serving, with an ingress, and the image of watermark; copies may leave soon."""
    with temporary_folder() as folder:
        Builder(cluster.registry, folder).build("watermark", tag=TAG)
    install_serving(cluster, scale_to_zero_grace_period="6s")
    cluster.kube.run(
        "patch", "configmap/config-features", "--namespace=knative-serving", "--type=merge", f"-p={manifests.serving}"
    )
    with ingress_for(cluster) as ingress:
        yield ingress
