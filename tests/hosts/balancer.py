"""What stands between the connector and the copies, as in a cluster: it knows the hosts and notices which ones fail."""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.local.ports import pick_free_port
from tests.hosts.copies import FUNCTION, PROXY_PORT
from tests.hosts.host import Host
from tests.platform_driver import wait_until

CADDY = Path(sys.executable).parent / "caddy"

SECONDS_AWAY = 10
"""For so long a host gets no calls that could not be reached."""

CONFIGURATION = """
{{
	admin 127.0.0.1:{admin}
	auto_https off
	persist_config off
	storage file_system {folder}/caddy
}}

http://127.0.0.1:{port} {{
	handle_path /function/{function} {{
		rewrite * /
		reverse_proxy {upstreams} {{
			lb_policy least_conn
			lb_try_duration 8s
			fail_duration {away}s
			transport http {{
				dial_timeout 2s
			}}
		}}
	}}
	handle {{
		reverse_proxy 127.0.0.1:{gateway}
	}}
}}
"""


@dataclass(frozen=True)
class Balancer:
    """A Caddy before the copies of watermark; other functions it leads to the platform's gateway."""

    folder: Path
    gateway: int
    """The port of the platform's own gateway."""
    port: int
    admin: int

    @property
    def function_url(self) -> str:
        """As the connector takes it."""
        return f"http://127.0.0.1:{self.port}/function/{{function}}"

    @property
    def _file(self) -> Path:
        return self.folder / "Caddyfile"

    def start(self, hosts: Iterable[Host]) -> subprocess.Popen[bytes]:
        """Start it with these hosts."""
        self._write(hosts)
        with (self.folder / "caddy.log").open("wb") as log:
            process = subprocess.Popen(
                [CADDY, "run", "--adapter", "caddyfile", "--config", self._file], stdout=log, stderr=log
            )
        wait_until(lambda: self._answers() or process.poll() is not None)
        assert process.poll() is None, (self.folder / "caddy.log").read_text()
        return process

    def lead_to(self, hosts: Iterable[Host]) -> None:
        """Lead to these hosts from now on; calls in flight end where they are."""
        self._write(hosts)
        command = [CADDY, "reload", "--adapter", "caddyfile", "--config", self._file]
        subprocess.run([*command, "--address", f"127.0.0.1:{self.admin}"], check=True, capture_output=True)

    def _write(self, hosts: Iterable[Host]) -> None:
        upstreams = " ".join(f"{host.address}:{PROXY_PORT}" for host in hosts)
        text = CONFIGURATION.format(
            away=SECONDS_AWAY,
            admin=self.admin,
            port=self.port,
            folder=self.folder,
            function=FUNCTION,
            upstreams=upstreams,
            gateway=self.gateway,
        )
        self._file.write_text(text)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.admin}/config/", timeout=2).is_success
        except httpx.TransportError:
            return False


def balancer(folder: Path, gateway: int) -> Balancer:
    """One with free ports, not started."""
    return Balancer(folder=folder, gateway=gateway, port=pick_free_port(), admin=pick_free_port())
