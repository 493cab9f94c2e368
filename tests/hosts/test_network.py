"""Hosts are apart from each other and from the machine, and leave nothing behind."""

import subprocess
import sys
import time

import psutil
import pytest

from tests.hosts.host import Host
from tests.hosts.network import PREFIX, Network, clear, run
from tests.hosts.quota import quotas
from tests.platform_driver import wait_until

SERVE = [sys.executable, "-m", "http.server", "--bind", "0.0.0.0", "8000"]  # noqa: S104 -- in a namespace
SPIN = [sys.executable, "-c", "while True: pass"]


def reaches(host: Host, address: str, port: int) -> bool:
    """Whether a connection from a host is answered."""
    ask = f"import socket; socket.create_connection(('{address}', {port}), timeout=1)"
    command = ["ip", "netns", "exec", host.link, sys.executable, "-c", ask]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_host_reaches_hosts_and_opened_ports_and_nothing_else(hosts: Network) -> None:
    a, b = hosts.add("a"), hosts.add("b")
    b.start("server", SERVE, {})
    with subprocess.Popen([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "18080"]) as server:
        try:
            wait_until(lambda: reaches(a, b.address, 8000), 10)
            assert not reaches(a, hosts.gateway, 18080)
            hosts.open_ports([18080])
            wait_until(lambda: reaches(a, hosts.gateway, 18080), 10)
            assert not reaches(a, "192.0.2.1", 80)
        finally:
            server.terminate()


def test_a_host_that_is_cut_off_hears_nothing_until_it_joins_again(hosts: Network) -> None:
    a, b = hosts.add("a"), hosts.add("b")
    b.start("server", SERVE, {})
    wait_until(lambda: reaches(a, b.address, 8000), 10)
    b.cut_off()
    assert not reaches(a, b.address, 8000)
    assert b.is_alive()
    b.join_again()
    wait_until(lambda: reaches(a, b.address, 8000), 10)


def test_a_host_uses_no_more_than_its_share_of_a_core(hosts: Network) -> None:
    host = hosts.add("a")
    host.quota.limit(0.2)
    for name in ("one", "two"):
        host.start(name, SPIN, {})
    time.sleep(3)
    used = sum(psutil.Process(process.pid).cpu_times().user for process in host.processes.values())
    assert used == pytest.approx(0.6, rel=0.4)
    periods, throttled = host.quota.periods()
    assert throttled > periods / 2


def test_what_a_crashed_run_left_is_cleared_away(hosts: Network) -> None:
    host = hosts.add("a")
    host.start("server", SERVE, {})
    hosts.open_ports([18080])
    clear()
    assert host.processes["server"].wait(5) < 0
    assert PREFIX not in run("ip", "netns", "list") + run("ip", "link", "show") + run("nft", "list", "tables")
    assert quotas(PREFIX) == []
