"""The server, with the definitions of the kinds that extend Kubernetes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.tools.schemas import definitions
from tests.apiserver.server import ApiServer, running_server

MORE = os.environ.get("COUNTERMARK_DEFINITIONS", "")
"""A file or folder with further definitions, such as CloudNativePG's, which this project can't fetch by itself."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server that knows the kinds of Knative, KEDA, cert-manager and the Prometheus operator."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        files = [*definitions(), *([Path(MORE)] if MORE else [])]
        for path in files:
            server.must("apply", "--server-side", "-f", path)
        server.must("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        for namespace in ("openfaas", "openfaas-fn"):  # the chart of OpenFaaS makes them
            server.must("create", "namespace", namespace)
        yield server
