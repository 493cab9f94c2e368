"""What the gateway serves, and its Caddyfile."""

from dataclasses import dataclass

from countermark.http.leaving import KEPT_SECONDS

from infra.render import render


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A function as Caddy sees it."""

    addresses: list[str]
    """Of its copies, or of what stands before them."""
    max_body_bytes: int
    public: bool
    """Whether people may call it by its name."""
    host: str = ""
    """The Host header that leads to it, where functions share an address; empty: the one that the caller sent."""
    prefix: str = ""
    """The path below which it is, where paths lead to functions: /function/upload."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What Caddy serves."""

    port: int
    hosts: list[str]
    """The addresses that it listens on; empty: all."""
    gateway_port: int | None = None
    """Where the connector reaches every function, on the loopback only; None: it needs no gateway."""
    behind_proxy: bool = False
    """Whether a proxy in a private network ends TLS before it, and tells the caller's host and scheme."""
    functions: dict[str, Upstream]
    store: str
    """The object store's address."""
    max_object_bytes: int
    """The largest body that goes to the store, in bytes."""
    web: str
    """The folder with the pages."""
    storage: str
    """The folder that Caddy may write to."""


def caddyfile(site: Site) -> str:
    """The configuration in Caddy's own language."""
    return render("servers/gateway/Caddyfile.j2", kept_milliseconds=int(KEPT_SECONDS * 1000), **vars(site))
