"""A function that is served as the platforms serve it: index.py on a folder with a handler, as a process of its own."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.local.ports import pick_free_port
from tests.platform_driver import wait_until

TEMPLATE = Path(__file__).parents[1] / "templates" / "python3-countermark"
SECONDS_TO_LEAVE = 60
IGNORING_SIGINT = ("/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh")
"""Starts a program as a shell does in the background."""


@dataclass(frozen=True)
class Served:
    """A process that serves a function, and its address."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def leave(self) -> int:
        """Tell it to leave, and return the code that it ends with."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS_TO_LEAVE)


@contextmanager
def serve(
    folder: Path,
    *,
    template: Path = TEMPLATE,
    python: Path | str = sys.executable,
    by: Sequence[str] = (),
    **environment: str,
) -> Iterator[Served]:
    """Serve the handler in a folder; it must leave well when it is told to.

    Args:
        by: what starts the process.
    """
    port = pick_free_port()
    known = {"PATH": os.environ["PATH"], "FUNCTION_DIR": str(folder), "PORT": str(port)}
    process = subprocess.Popen(
        [*by, str(python), str(template / "index.py")], env=known | environment, cwd="/", stdout=subprocess.DEVNULL
    )
    served = Served(f"http://127.0.0.1:{port}", process)
    try:
        wait_until(lambda: answers(f"{served.url}/_/ready") or process.poll() is not None)
        yield served
    finally:
        code = served.leave()
    assert code == 0


def answers(url: str, **headers: str) -> bool:
    """Whether a URL is answered with 200."""
    try:
        return httpx.get(url, headers=headers).status_code == httpx.codes.OK
    except httpx.TransportError:
        time.sleep(0.02)
        return False


def refuses(port: int) -> bool:
    """Whether nobody listens at a port of this machine."""
    with closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
