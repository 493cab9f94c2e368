"""The platform spread over hosts: its servers on the machine, watermark on hosts of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.hosts.balancer import Balancer, balancer
from tests.hosts.copies import FUNCTION, begin_copy, wait_for_copy
from tests.hosts.host import Host
from tests.hosts.network import Network
from tests.own_connector import Connector, start_connector
from tests.platform_driver import Platform

SECRETS = ("nats-url", "database-url", "s3-access-key", "s3-secret-key")


@dataclass(frozen=True)
class Spread:
    """A running platform whose copies of watermark are on hosts."""

    platform: Platform
    network: Network
    balancer: Balancer
    connector: Connector
    cores: float
    """What each host has."""

    def add_host(self, name: str) -> Host:
        """A host more, with a copy that serves; the balancer does not know it yet."""
        return add_hosts(self.platform, self.network, name, self.cores)[0]

    def lead_to_all(self, but: Host | None = None) -> None:
        """Tell the balancer of all hosts that there are now, or of all but one."""
        self.balancer.lead_to([host for host in self.network.hosts.values() if host is not but])


@contextmanager
def spread_platform(platform: Platform, network: Network, names: str, cores: float) -> Iterator[Spread]:
    """Spread a platform over hosts with these names, one letter each; its own copies of watermark stand still."""
    network.open_ports(platform.ports.values())
    platform.stop("connector")
    platform.stop(FUNCTION)
    between = balancer(network.folder, platform.ports["gateway"])
    hosts = add_hosts(platform, network, names, cores)
    caddy = between.start(hosts)
    # At the port of the platform's own, so that the store's notifications reach it.
    connector = start_connector(network.folder, connector_settings(platform, between), platform.ports["connector"])
    try:
        yield Spread(platform, network, between, connector, cores)
    finally:
        connector.leave()
        caddy.terminate()
        caddy.wait()
        platform.start(FUNCTION)
        platform.start("connector")


def add_hosts(platform: Platform, network: Network, names: str, cores: float) -> list[Host]:
    """Hosts with a copy each, all of which serve; from then on they have so many cores each."""
    hosts = [network.add(name) for name in names]
    for host in hosts:
        begin_copy(host, host_settings(platform, network))
    for host in hosts:
        wait_for_copy(host)
        host.quota.limit(cores)
    return hosts


def host_settings(platform: Platform, network: Network) -> dict[str, str]:
    """The settings of a function on a host: the machine's servers, by its address there."""
    own = {name: platform.secret(f"{FUNCTION}/{name}") for name in SECRETS}
    settings = {
        name.upper().replace("-", "_"): value.replace("127.0.0.1", network.gateway) for name, value in own.items()
    }
    return {**settings, "S3_ENDPOINT": f"http://{network.gateway}:{platform.ports['s3']}", "BIND": "127.0.0.1"}


def connector_settings(platform: Platform, between: Balancer) -> dict[str, str]:
    """The settings of a connector that calls watermark on the hosts."""
    return {"SECRETS_DIR": str(platform.folder.secrets / "connector"), "FUNCTION_URL": between.function_url}
