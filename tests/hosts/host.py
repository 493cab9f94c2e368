"""A host: a network namespace with an address and a link of its own, a CPU limit, and processes."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.project import ROOT
from tests.hosts.quota import Quota

SECONDS_TO_LEAVE = 90


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine among others, to whoever looks at it from outside."""

    name: str
    link: str
    """Of its namespace, and of the machine's end of its cable."""
    address: str
    quota: Quota
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process there; it writes to ``<name>.log``."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", self.link, *command],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=self.quota.enter,
            )

    def log(self, name: str) -> str:
        """What the process has written."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def cut_off(self) -> None:
        """Pull the cable: packets vanish, and nobody is told."""
        subprocess.run(["ip", "link", "set", self.link, "down"], check=True)

    def join_again(self) -> None:
        """Put the cable back."""
        subprocess.run(["ip", "link", "set", self.link, "up"], check=True)

    def kill(self) -> None:
        """End all of its processes at once; the kernel still tells their peers, as after a crash of the programs."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()

    def leave(self, name: str) -> int:
        """Tell a process to end, wait until it has, and return its exit code."""
        self.processes[name].send_signal(signal.SIGTERM)
        return self.processes[name].wait(SECONDS_TO_LEAVE)

    def is_alive(self) -> bool:
        """Whether all of its processes run."""
        return all(process.poll() is None for process in self.processes.values())
