"""A connector of the tests' own: the real program, told where the functions are."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.local.ports import pick_free_port
from infra.project import ROOT
from tests.platform_driver import wait_until

SECONDS_TO_LEAVE = 90


@dataclass(frozen=True)
class Connector:
    """A running connector."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def deliveries(self, function: str, outcome: str) -> int:
        """How many calls of a function ended so: done, dead, retry or hold."""
        return self.metric(f'connector_deliveries_total{{function="{function}",outcome="{outcome}"}}')

    def metric(self, name: str) -> int:
        """A metric as it is now, with its labels; 0 if it is not there."""
        text = httpx.get(f"http://127.0.0.1:{self.port}/metrics").text
        found = re.search(rf"^{re.escape(name)} ([\d.]+)$", text, re.MULTILINE)
        return int(float(found[1])) if found else 0

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def leave(self) -> None:
        """Let it finish what it is at and end."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(SECONDS_TO_LEAVE) == 0, self.log.read_text()


def start_connector(folder: Path, settings: Mapping[str, str], port: int | None = None) -> Connector:
    """Start one and return when it delivers."""
    port = port or pick_free_port()
    log = folder / f"connector-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.connector"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PORT": str(port), **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    wait_until(lambda: "delivering" in log.read_text() or process.poll() is not None)
    assert process.poll() is None, log.read_text()
    return Connector(port, log, process)
