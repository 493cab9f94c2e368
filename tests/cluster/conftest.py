"""The cluster, with the definitions of the kinds that extend it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.tools.schemas import definitions
from tests.cluster.server import Cluster, running_cluster

MORE = os.environ.get("COUNTERMARK_DEFINITIONS", "")
"""A file or folder with further definitions, such as CloudNativePG's, which this project can't fetch by itself."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server that knows the kinds of Knative, KEDA, cert-manager and the Prometheus operator."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        files = [*definitions(), *([Path(MORE)] if MORE else [])]
        for path in files:
            cluster.must("apply", "--server-side", "-f", path)
        cluster.must("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        for namespace in ("openfaas", "openfaas-fn"):  # the chart of OpenFaaS makes them
            cluster.must("create", "namespace", namespace)
        yield cluster
