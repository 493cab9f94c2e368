"""Who may ask the API server: a token each, and kubeconfig files that show it."""

import json
import secrets
import subprocess
from dataclasses import dataclass

from tests.cluster.machine import Machine

FOLDER = "/var/lib/kubernetes"
"""For keys and certificates, on the machine of the control plane."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user of Kubernetes."""

    name: str
    group: str
    token: str


class Accounts:
    """The accounts of a cluster.

    Args:
        nodes: the names of its nodes.
    """

    def __init__(self, nodes: list[str]) -> None:
        names = {
            "admin": "system:masters",
            "system:kube-controller-manager": "",
            "system:kube-scheduler": "",
            "system:kube-proxy": "system:node-proxier",
        } | {f"system:node:{node}": "system:nodes" for node in nodes}
        self._all = {
            name: Account(name=name, group=group, token=secrets.token_hex(16)) for name, group in names.items()
        }

    def write(self, machine: Machine) -> None:
        """The list of tokens, and the key that signs those of service accounts."""
        lines = [f'{each.token},{each.name},{each.name},"{each.group}"\n' for each in self._all.values()]
        machine.write(f"{FOLDER}/tokens.csv", "".join(lines))
        key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True, text=True).stdout
        machine.write(f"{FOLDER}/service-accounts.key", key)

    def kubeconfig(self, name: str, server: str, certificate: str) -> str:
        """The file by which a program finds the server and shows who it is.

        Args:
            certificate: the server's, in PEM; it made it itself.
        """
        import base64

        cluster = {"server": server, "certificate-authority-data": base64.b64encode(certificate.encode()).decode()}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "cluster",
                "clusters": [{"name": "cluster", "cluster": cluster}],
                "users": [{"name": name, "user": {"token": self._all[name].token}}],
                "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": name}}],
            }
        )


def certificate_of(machine: Machine) -> str:
    """What the API server signed itself with, once it runs."""
    return (machine.folder / FOLDER.lstrip("/") / "apiserver.crt").read_text()
