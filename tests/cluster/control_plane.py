"""etcd, the API server, the controllers and the scheduler, on one machine."""

from infra.tools import install
from tests.cluster.accounts import FOLDER, Accounts, certificate_of
from tests.cluster.machine import Machine
from tests.platform_driver import wait_until

SERVICES = "10.96.0.0/16"
"""The addresses of Services."""
PORT = 6443


class ControlPlane:
    """What a cluster is asked and told by."""

    def __init__(self, machine: Machine, accounts: Accounts) -> None:
        self._machine = machine
        self._accounts = accounts
        self.server = f"https://{machine.address}:{PORT}"

    def open(self) -> None:
        """Start it and wait until it answers."""
        self._accounts.write(self._machine)
        self._machine.start("etcd", install("etcd"), "--data-dir=/var/lib/etcd", "--logger=zap")
        self._start_api_server()
        certificate = self._machine.folder / FOLDER.lstrip("/") / "apiserver.crt"
        wait_until(certificate.exists)
        for name in ("admin", "system:kube-controller-manager", "system:kube-scheduler"):
            self.write_kubeconfig(self._machine, name)
        wait_until(lambda: self._answers("/readyz"))
        self._start_controllers()

    def write_kubeconfig(self, machine: Machine, name: str) -> str:
        """Put the kubeconfig of an account on a machine; returns its path there."""
        text = self._accounts.kubeconfig(name, self.server, certificate_of(self._machine))
        return str(machine.write(f"{FOLDER}/{name.replace(':', '-')}.json", text))

    def knows(self, machine: Machine) -> bool:
        """Whether it has a node of that machine."""
        return self._answers(f"/api/v1/nodes/{machine.name}")

    def _answers(self, path: str) -> bool:
        try:
            self._machine.run(install("kubectl"), f"--kubeconfig={FOLDER}/admin.json", "get", f"--raw={path}")
        except AssertionError:
            return False
        return True

    def _start_api_server(self) -> None:
        self._machine.start(
            "kube-apiserver",
            install("kube-apiserver"),
            "--etcd-servers=http://127.0.0.1:2379",
            f"--advertise-address={self._machine.address}",
            f"--secure-port={PORT}",
            f"--cert-dir={FOLDER}",
            f"--token-auth-file={FOLDER}/tokens.csv",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICES}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-signing-key-file={FOLDER}/service-accounts.key",
            f"--service-account-key-file={FOLDER}/service-accounts.key",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
        )

    def _start_controllers(self) -> None:
        self._machine.start(
            "kube-controller-manager",
            install("kube-controller-manager"),
            f"--kubeconfig={FOLDER}/system-kube-controller-manager.json",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={FOLDER}/service-accounts.key",
            f"--root-ca-file={FOLDER}/apiserver.crt",
            "--leader-elect=false",
        )
        self._machine.start(
            "kube-scheduler",
            install("kube-scheduler"),
            f"--kubeconfig={FOLDER}/system-kube-scheduler.json",
            "--leader-elect=false",
        )
