"""Ports: free ones, the same at every start as long as nobody else takes them.

A platform's ports are reserved while it runs, so that another one never takes the port of a process that is just being
started again. A reservation is a name that only one process on the machine can have (an abstract socket, unix(7)).
"""

import errno
import itertools
import json
import random
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from infra.credentials import write_private
from infra.errors import PlatformError

OUTGOING = 32_768
"""From here on Linux gives ports to outgoing connections, so that one of those may sit on any of them."""
CHOICE = range(20_000, 30_000)


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


def pick_ports(
    names: Iterable[str], file: Path, reservations: ExitStack, offsets: Mapping[str, int] | None = None
) -> dict[str, int]:
    """A free port for each name: the one that the file remembers, or another when that is taken.

    Args:
        reservations: until it is closed, nobody else who picks gets one of the ports.
        offsets: for a name whose program takes a second port as well, how far that one is from the first.
    """
    remembered: dict[str, int] = json.loads(file.read_text()) if file.is_file() else {}
    ports: dict[str, int] = {}
    for name in names:
        offset = (offsets or {}).get(name, 0)
        port = remembered.get(name)
        if port is None or not _take(port, offset, reservations):
            port = _pick(set(remembered.values()), offset, reservations)
        ports[name] = port
    write_private(file, json.dumps(remembered | ports, indent=1), durable=True)
    return ports


def pick_free_port() -> int:
    """A free port for something that is used once."""
    with ExitStack() as reservations:
        return _pick(set(), 0, reservations)


def require_free(port: int, hosts: Iterable[str], reservations: ExitStack) -> None:
    """Make sure that the public port can be taken, and reserve it.

    Raises:
        PlatformError: it is taken; the message names the program, if this user may know it.
    """
    if not (_reserve(port, reservations) and all(is_free(port, host) for host in hosts)):
        raise PlatformError(f"Port {port} is taken by {_holder(port)}; choose another one, such as PORT={port + 1}.")


def _pick(taken: set[int], offset: int, reservations: ExitStack) -> int:
    choice = range(CHOICE.start, min(CHOICE.stop, OUTGOING - offset))
    # In a row from anywhere: two platforms that start together rarely meet.
    first = random.randrange(len(choice))  # noqa: S311 -- no secret
    for port in itertools.chain(choice[first:], choice[:first]):
        if port not in taken and _take(port, offset, reservations):
            return port
    raise PlatformError(f"No port between {choice.start} and {choice.stop} is free.")


def _take(port: int, offset: int, reservations: ExitStack) -> bool:
    """Reserve a port, if nobody has it."""
    with ExitStack() as own:
        if not (_reserve(port, own) and all(is_free(each) for each in {port, port + offset})):
            return False
        reservations.push(own.pop_all())
        return True


def _reserve(port: int, reservations: ExitStack) -> bool:
    name = reservations.enter_context(socket.socket(socket.AF_UNIX))
    try:
        name.bind(f"\0countermark-port-{port}")
    except OSError:
        return False
    return True


def _holder(port: int) -> str:
    import psutil  # here: a program that has its ports need not keep it

    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if listens and connection.pid:  # which is not known to everybody
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.NoSuchProcess:
                break
    return "another program"
