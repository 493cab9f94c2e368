"""A stream server of the tests' own, which may be killed and lose its files."""

import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from infra.local.ports import pick_free_port
from infra.project import BINARIES
from tests.platform_driver import wait_until


@dataclass
class Nats:
    """A server with JetStream on disk, on the same ports at every start."""

    folder: Path
    store: Path
    port: int = field(default_factory=pick_free_port)
    monitor: int = field(default_factory=pick_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address; everybody may do everything."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it is healthy."""
        configuration = self._configure()
        with (self.folder / "nats.log").open("ab") as log:
            self.process = subprocess.Popen([BINARIES / "nats-server", "-c", configuration], stderr=log)
        wait_until(self.is_healthy)

    def ask_for_a_password(self, asked: bool) -> None:
        """Let nobody in any more who shows none, and end the connections of those who are in; or let everybody in."""
        assert self.process is not None
        self._configure('authorization { user: "x", password: "y" }\n' if asked else "")
        self.process.send_signal(signal.SIGHUP)

    def _configure(self, more: str = "") -> Path:
        path = self.folder / "nats.conf"
        path.write_text(
            f'host: 127.0.0.1\nport: {self.port}\nhttp: "127.0.0.1:{self.monitor}"\n{more}'
            f'jetstream {{ store_dir: "{self.store}", sync_interval: always }}\n'
        )
        return path

    def is_healthy(self) -> bool:
        """Whether it says so."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.monitor}/healthz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def lose_files(self) -> None:
        """Delete everything that it has kept."""
        shutil.rmtree(self.store / "jetstream")
