"""The gateway: Caddy, the one public address of the platform."""

from dataclasses import dataclass
from pathlib import Path

from infra.caddy.site import Site, caddyfile
from infra.local.folder import DataFolder
from infra.local.parts import Part, answers
from infra.local.secrets import write_private

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 -- told apart, not bound


@dataclass(frozen=True)
class PublicAddress:
    """Where the platform is reached."""

    host: str
    port: int

    @property
    def hosts(self) -> list[str]:
        """What Caddy listens on; the health check needs the loopback."""
        return [self.host] if self.host in {LOOPBACK, *EVERYWHERE} else [LOOPBACK, self.host]

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine."""
        host = LOOPBACK if self.host in EVERYWHERE else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def local_url(self) -> str:
        """The address for the health check."""
        return f"http://{LOOPBACK}:{self.port}"


def caddy_part(folder: DataFolder, site: Site, address: PublicAddress, binaries: Path) -> Part:
    """The server; writes its configuration."""
    configuration = folder.configuration / "Caddyfile"
    write_private(configuration, caddyfile(site))
    return Part(
        name="caddy",
        group="gateway",
        command=[str(binaries / "caddy"), "run", "--adapter", "caddyfile", "--config", str(configuration)],
        check=answers(f"{address.local_url}/healthz"),
    )
