"""The gateway: Caddy, the one public address of the platform."""

from dataclasses import dataclass
from pathlib import Path

from infra.local.folder import ROOT, DataFolder
from infra.local.parts import Part, answers
from infra.local.render import render_to

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


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A function as Caddy sees it."""

    ports: list[int]
    """Of each of its copies."""
    max_body_bytes: int
    public: bool
    """Whether people may call it by its name."""

    @property
    def addresses(self) -> list[str]:
        """Where its copies are."""
        return [f"{LOOPBACK}:{port}" for port in self.ports]


@dataclass(frozen=True, kw_only=True)
class Site:
    """What Caddy serves."""

    address: PublicAddress
    gateway_port: int
    """Where the connector reaches every function; on the loopback only."""
    functions: dict[str, Upstream]
    store: str
    """The object store's address."""
    max_object_bytes: int
    """The largest body that goes to the store, in bytes."""


def caddy_part(folder: DataFolder, site: Site, binaries: Path) -> Part:
    """The server; writes its configuration."""
    configuration = render_to(
        folder.configuration / "Caddyfile",
        "caddy/Caddyfile.j2",
        port=site.address.port,
        hosts=site.address.hosts,
        gateway_port=site.gateway_port,
        functions=site.functions,
        store=site.store,
        max_object_bytes=site.max_object_bytes,
        web=str(ROOT / "web"),
        storage=str(folder.root / "caddy"),
    )
    return Part(
        name="caddy",
        group="gateway",
        command=[str(binaries / "caddy"), "run", "--adapter", "caddyfile", "--config", str(configuration)],
        check=answers(f"{site.address.local_url}/healthz"),
    )
