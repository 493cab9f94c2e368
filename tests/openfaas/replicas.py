"""A replica of a function as its pod is: the real of-watchdog before index.py, in a network of its own.

Each needs one: of-watchdog's metrics have port 8081, and it ends where that is taken.
"""

import os
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from infra.project import ROOT
from tests.hosts.host import Host
from tests.openfaas.programs import program

TEMPLATE = ROOT / "templates" / "python3-countermark"
PORT = 8080
WATCHDOG = "watchdog"
"""The name of its process."""


def image_environment() -> dict[str, str]:
    """What the image says in the last ENV of its Dockerfile."""
    text = (TEMPLATE / "Dockerfile").read_text().replace("\\\n", " ")
    line = [line for line in text.splitlines() if line.startswith("ENV ")][-1]
    return dict(word.split("=", 1) for word in shlex.split(line.removeprefix("ENV ")))


@dataclass
class Replica:
    """One replica."""

    host: Host
    generation: int
    """Of the deployment that it is of."""
    ready: bool = False

    @property
    def url(self) -> str:
        """The watchdog's."""
        return f"http://{self.host.address}:{PORT}"

    @property
    def log(self) -> str:
        """What the watchdog and the function have written."""
        return self.host.log(WATCHDOG)

    @property
    def is_alive(self) -> bool:
        """Whether its watchdog runs."""
        return self.host.is_alive()

    def start(self, deployment: Mapping[str, object], secrets: Mapping[str, str]) -> None:
        """Start it, or start it again, from what faas-cli said and with the files of its secrets."""
        folder = self.host.folder / "secrets"
        folder.mkdir(exist_ok=True)
        for name, value in secrets.items():
            (folder / name).write_text(value)
        environment = image_environment() | {"fprocess": str(deployment["envProcess"])} | _texts(deployment, "envVars")
        environment |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TMPDIR": str(self.host.folder),
            "SECRETS_DIR": str(folder),
            "FUNCTION_DIR": str(ROOT / function_folder(str(deployment["image"]))),
        }
        command = f"cd {TEMPLATE} && rm -f {self.host.folder}/.lock && exec {program('of-watchdog')}"
        self.host.start(WATCHDOG, ["sh", "-c", command], environment)

    def tell_to_leave(self) -> None:
        """Send the watchdog SIGTERM, as the kubelet does."""
        self.host.processes[WATCHDOG].send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all of it at once, as a pod whose first process has gone."""
        self.ready = False
        for pid in self.host.quota.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.host.processes[WATCHDOG].wait()


def function_folder(image: str) -> Path:
    """The handler of the function whose image has this name: registry/watermark:tag."""
    name = image.rpartition("/")[2].partition(":")[0]
    stack = yaml.safe_load((ROOT / "stack.yml").read_text())
    return Path(stack["functions"][name]["handler"])


def _texts(deployment: Mapping[str, object], key: str) -> dict[str, str]:
    found = deployment.get(key) or {}
    assert isinstance(found, dict)
    return found
