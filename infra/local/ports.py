"""Ports: free ones, the same at every start as long as nobody else takes them."""

import errno
import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

from infra.local.errors import PlatformError

CHOICE = range(20_000, 30_000)
"""Below what Linux gives to outgoing connections (32768 and up), so that none of those sits on a port of ours."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server can listen on the port.

    Raises:
        PlatformError: this machine has no such address, or this user may not take that port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: connections that have just ended don't keep a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise PlatformError(f"Nothing can listen on {host}, port {port}: {error.strerror}.") from error
    return True


def pick_ports(names: Iterable[str], file: Path) -> dict[str, int]:
    """A free port for each name: the one that the file remembers, or another when that is taken."""
    remembered: dict[str, int] = json.loads(file.read_text()) if file.is_file() else {}
    ports: dict[str, int] = {}
    for name in names:
        port = remembered.get(name)
        if port is None or port in ports.values() or not is_free(port):
            port = _pick(taken={*ports.values(), *remembered.values()})
        ports[name] = port
    file.write_text(json.dumps(remembered | ports, indent=1))
    return ports


def pick_free_port() -> int:
    """A free port for something that is used once."""
    return _pick(taken=set())


def require_free(port: int, hosts: Iterable[str]) -> None:
    """Make sure that the public port can be taken.

    Raises:
        PlatformError: it is taken; the message names the program, if this user may know it.
    """
    if not all(is_free(port, host) for host in hosts):
        raise PlatformError(f"Port {port} is taken by {_holder(port)}; choose another one, such as PORT={port + 1}.")


def _pick(taken: set[int]) -> int:
    for port in random.sample(CHOICE, len(CHOICE)):
        if port not in taken and is_free(port):
            return port
    raise PlatformError(f"No port between {CHOICE.start} and {CHOICE.stop} is free.")


def _holder(port: int) -> str:
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if listens and connection.pid:  # which is not known to everybody
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.NoSuchProcess:
                break
    return "another program"
