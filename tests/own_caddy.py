"""The gateway as it is on a cluster: a real Caddy with what is rendered for one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from infra.kubernetes.functions import deployed_stack, workloads_of
from infra.kubernetes.render import site
from infra.kubernetes.target import Target
from infra.project import BINARIES, ROOT
from infra.servers.gateway.site import Site
from tests.platform_driver import Platform, wait_until


@contextmanager
def running_caddy(folder: Path, port: int, text: str) -> Iterator[None]:
    """A real Caddy with a configuration."""
    folder.mkdir()
    path = folder / "Caddyfile"
    path.write_text(text)
    server = subprocess.Popen(
        [BINARIES / "caddy", "run", "--adapter", "caddyfile", "--config", path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"HOME": str(folder), "PATH": ""},
    )
    try:
        wait_until(lambda: _listens(port), 20)
        yield
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/")
    except httpx.TransportError:
        return False
    return True


def cluster_site(platform: Platform, target: Target, port: int, functions_at: str) -> Site:
    """What is rendered for a cluster, with the addresses of this machine.

    Args:
        functions_at: where what leads to functions is: host:port.
    """
    made = site(target, workloads_of(deployed_stack(target)))
    return replace(
        made,
        port=port,
        store=platform.store_url,
        web=str(ROOT / "web"),
        storage=str(platform.data / "cluster-caddy"),
        functions={name: replace(each, addresses=[functions_at]) for name, each in made.functions.items()},
    )
