"""A real kube-apiserver on etcd, without nodes: it takes objects, or refuses them, as a cluster's does."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.local.ports import pick_free_port
from infra.tools import install
from tests.platform_driver import wait_until

TOKEN = "a-token-for-this-test"
CONFIGURATION = """\
apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: here, cluster: {{server: "{url}", insecure-skip-tls-verify: true}}}}]
users: [{{name: me, user: {{token: {token}}}}}]
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
"""
SECONDS_TO_START = 120


@dataclass(frozen=True)
class ApiServer:
    """The server, and kubectl as its administrator."""

    configuration: Path

    def kubectl(self, *arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """What kubectl says."""
        command = [install("kubectl"), "--kubeconfig", self.configuration, *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=300)

    def must(self, *arguments: str | Path, given: str | None = None) -> str:
        """What kubectl says when it succeeds, as it must."""
        done = self.kubectl(*arguments, given=given)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout


@contextmanager
def running_server(folder: Path) -> Iterator[ApiServer]:
    """Start etcd and the server in a folder; both end with the block."""
    etcd_port, peer_port, port = pick_free_port(), pick_free_port(), pick_free_port()
    key = folder / "service-account.key"
    tokens = folder / "tokens.csv"
    tokens.write_text(f"{TOKEN},administrator,1,system:masters\n")
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    etcd = [install("etcd"), "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--log-level=error"]
    etcd += [
        f"--listen-client-urls=http://127.0.0.1:{etcd_port}",
        f"--advertise-client-urls=http://127.0.0.1:{etcd_port}",
    ]
    etcd += [f"--listen-peer-urls=http://127.0.0.1:{peer_port}"]
    command: list[str | Path] = [install("kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{etcd_port}"]
    command += [
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder}",
        f"--token-auth-file={tokens}",
    ]
    command += [f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"]
    command += ["--service-account-issuer=https://localhost", "--authorization-mode=RBAC"]
    command += ["--service-cluster-ip-range=10.0.0.0/24"]
    with ExitStack() as stack:
        stack.enter_context(_running(etcd, folder / "etcd.log"))
        stack.enter_context(_running(command, folder / "kube-apiserver.log"))
        url = f"https://127.0.0.1:{port}"
        wait_until(lambda: _is_ready(url), SECONDS_TO_START)
        configuration = folder / "kubeconfig"
        configuration.write_text(CONFIGURATION.format(url=url, token=TOKEN))
        yield ApiServer(configuration)


@contextmanager
def _running(command: list[str | Path], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_ready(url: str) -> bool:
    try:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.get(f"{url}/readyz", headers=headers, verify=False).status_code == 200  # noqa: S501 -- on loopback
    except httpx.TransportError:
        return False
