"""A whole cluster on this machine: made empty, and gone without a trace."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.tools import install
from tests.cluster import dns
from tests.cluster.accounts import FOLDER, Accounts
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kube import Kube
from tests.cluster.machine import Machine, make_bridge, remove_bridge
from tests.cluster.node import connect, start_node
from tests.cluster.registry import PAUSE, Registry

HERE = Path(__file__).parent
PROGRAMS = (
    *("etcd", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kubelet", "kube-proxy", "coredns", "registry"),
)


class Cluster:
    """A cluster that runs: its machines, and kubectl."""

    def __init__(self, machines: list[Machine]) -> None:
        self.machines = machines
        self.seconds_to_start = 0.0
        self.registry = Registry(machines[0])
        self.kube = Kube(machines[0].folder / FOLDER.lstrip("/") / "admin.json")

    @property
    def address(self) -> str:
        """Where its NodePorts are."""
        return self.machines[0].address

    def open(self) -> None:
        """Start everything, and wait until Pods run and the names of Services are known."""
        for name in PROGRAMS:
            install(name)
        started = time.monotonic()
        make_bridge()
        for machine in self.machines:
            machine.open()
        control_plane = ControlPlane(self.machines[0], Accounts([machine.name for machine in self.machines]))
        control_plane.open()
        connect(self.machines)
        self.registry.open()
        self.registry.push_program(PAUSE, _pause(self.machines[0].folder), "/pause")
        self.registry.push_program(dns.IMAGE, install("coredns"), "/coredns", "-conf", "/etc/coredns/Corefile")
        for machine in self.machines:
            start_node(machine, control_plane, self.registry)
        self.kube.wait("condition=Ready", "node", "--all")
        dns.deploy(self.kube, self.registry.image(dns.IMAGE))
        self.seconds_to_start = time.monotonic() - started

    def close(self) -> None:
        """End it, with everything that runs in it."""
        for machine in self.machines:
            machine.close()
        remove_bridge()


@contextmanager
def temporary_cluster(nodes: int = 1) -> Iterator[Cluster]:
    """A cluster that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="countermark-cluster-"))
    cluster = Cluster([Machine(number, folder / str(number)) for number in range(2, 2 + nodes)])
    try:
        cluster.open()
        yield cluster
    finally:
        cluster.close()
        shutil.rmtree(folder)


def _pause(folder: Path) -> Path:
    program = folder / "pause"
    subprocess.run(["cc", "-static", "-Os", "-o", program, HERE / "pause.c"], check=True)
    return program
