"""A network of hosts on this machine: network namespaces on a bridge of their own, which reach nothing else.

The platform's servers listen on the loopback alone. On the bridge their ports are answered at the gateway's address
and led to the loopback (nftables, and ``route_localnet`` for this one interface), so nothing listens elsewhere for it.

Everything has the prefix ``cmtest``: an earlier run that crashed is cleared away at the next start. One network
at a time: whoever comes second waits.
"""

import fcntl
import ipaddress
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.hosts import quota
from tests.hosts.host import Host
from tests.platform_driver import wait_until

PREFIX = "cmtest"
BRIDGE = f"{PREFIX}0"
LOCK = Path(tempfile.gettempdir()) / f"{PREFIX}.lock"
RANGES = ipaddress.ip_network("198.18.0.0/15").subnets(new_prefix=24)
"""Kept by RFC 2544 for measuring networks with each other: no real network has them."""
FIRST_HOST = 11


def why_not() -> str:
    """Why this machine can't have hosts; empty when it can."""
    if os.geteuid() != 0:
        return "network namespaces and CPU limits need root"
    missing = [name for name in ("ip", "nft") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} is missing (apt-get install iproute2 nftables)"
    if reason := quota.why_not():
        return reason
    probe = subprocess.run(["ip", "link", "add", f"{PREFIX}p", "type", "bridge"], capture_output=True, text=True)
    if probe.returncode == 0:
        ip("link", "del", f"{PREFIX}p")
        return ""
    return f"no network can be made here: {probe.stderr.strip()}"


@dataclass(frozen=True)
class Network:
    """Hosts that reach each other, and of the machine only the ports that are opened."""

    range: ipaddress.IPv4Network
    folder: Path
    """For what processes write: logs, data."""
    hosts: dict[str, Host] = field(default_factory=dict)

    @property
    def gateway(self) -> str:
        """The machine's address among the hosts."""
        return str(self.range[1])

    def open_ports(self, ports: Iterable[int]) -> None:
        """Let the hosts reach these ports of the machine's loopback at the gateway's address."""
        numbers = ", ".join(map(str, sorted(set(ports))))
        rule = f'iifname "{BRIDGE}" ip daddr {self.gateway} tcp dport {{ {numbers} }} dnat to 127.0.0.1'
        run("nft", "add", "rule", "ip", PREFIX, "prerouting", rule)

    def add(self, name: str) -> Host:
        """A new host, which may use the whole processor as long as its quota has no limit."""
        address, link = str(self.range[FIRST_HOST + len(self.hosts)]), f"{PREFIX}-{name}"
        host = Host(name=name, link=link, address=address, quota=quota.Quota(link), folder=self.folder / name)
        host.folder.mkdir()
        host.quota.make()
        ip("netns", "add", host.link)
        ip("link", "add", host.link, "type", "veth", "peer", "name", "eth0", "netns", host.link)
        ip("link", "set", host.link, "master", BRIDGE, "up")
        ip("-n", host.link, "link", "set", "lo", "up")
        ip("-n", host.link, "link", "set", "eth0", "up")
        ip("-n", host.link, "address", "add", f"{address}/{self.range.prefixlen}", "dev", "eth0")
        self.hosts[name] = host
        return host


@contextmanager
def network() -> Iterator[Network]:
    """A network without hosts; they, their processes and their limits are gone at the end."""
    with LOCK.open("w") as lock, tempfile.TemporaryDirectory(prefix=f"{PREFIX}-") as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)
        clear()
        made = Network(free_range(), Path(folder))
        ip("link", "add", BRIDGE, "type", "bridge")
        try:
            ip("address", "add", f"{made.gateway}/{made.range.prefixlen}", "dev", BRIDGE)
            ip("link", "set", BRIDGE, "up")
            Path(f"/proc/sys/net/ipv4/conf/{BRIDGE}/route_localnet").write_text("1")
            run("nft", "add", "table", "ip", PREFIX)
            run("nft", f"add chain ip {PREFIX} prerouting {{ type nat hook prerouting priority dstnat; }}")
            run("nft", f"add chain ip {PREFIX} input {{ type nat hook input priority 100; }}")
            # PostgreSQL takes callers from the loopback alone.
            run("nft", "add", "rule", "ip", PREFIX, "input", f'iifname "{BRIDGE}" ip daddr 127.0.0.1 snat to 127.0.0.1')
            yield made
        finally:
            for host in made.hosts.values():
                host.kill()
            clear()


def free_range() -> ipaddress.IPv4Network:
    """A range of addresses that this machine has no way to."""
    routes = json.loads(run("ip", "-json", "route", "show", "table", "all"))
    taken = [ipaddress.ip_network(route["dst"], strict=False) for route in routes if route["dst"] != "default"]
    return next(each for each in RANGES if not any(each.overlaps(other) for other in taken if other.version == 4))


def clear() -> None:
    """Take down what there is of a network, also of one whose run was killed."""
    for namespace in json.loads(run("ip", "-json", "netns", "list") or "[]"):
        if (name := namespace["name"]).startswith(PREFIX):
            for pid in run("ip", "netns", "pids", name).split():
                kill(int(pid))
            ip("netns", "del", name)
    for limit in quota.quotas(PREFIX):
        for pid in limit.pids():
            kill(pid)
        wait_until(lambda limit=limit: not limit.pids())
        limit.remove()
    for link in json.loads(run("ip", "-json", "link", "show")):
        if link["ifname"].startswith(PREFIX):  # the ends in namespaces go with them, but not at once
            subprocess.run(["ip", "link", "del", link["ifname"]], capture_output=True)
    if f"table ip {PREFIX}\n" in run("nft", "list", "tables"):
        run("nft", "delete", "table", "ip", PREFIX)


def kill(pid: int) -> None:
    """End a process at once, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def ip(*arguments: str) -> str:
    """Run iproute2."""
    return run("ip", *arguments)


def run(*command: str) -> str:
    """What a command prints.

    Raises:
        AssertionError: it failed; with what it said.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return done.stdout
