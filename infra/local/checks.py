"""How one sees that a process works: each check raises an error while it does not.

They are values and no closures, so that they can be sent to the process that stays from the one that made the plan.
"""

import shutil
import socket
import struct
import urllib.request
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

from infra.local.machine import DATABASE, DATABASE_USER, LOOPBACK

SECONDS_TO_ANSWER = 2
SECONDS_TO_LIVE = 5
"""A server that is busy may answer late; one that takes longer than this again and again does not work."""
LEAST_ROOM = 64 * 1024 * 1024
"""Bytes that must be free on a disk for its server to be started again because it does not write."""
PROTOCOL, ASKS_FOR_PASSWORD = 3 << 16, b"R"
"""Of PostgreSQL: the version of a client's first message, and the kind of the answer of a server that takes it."""


@dataclass(frozen=True)
class Answers:
    """A URL is answered with success."""

    url: str
    seconds: float = SECONDS_TO_ANSWER

    def __call__(self) -> None:
        """Ask it."""
        urllib.request.urlopen(self.url, timeout=self.seconds).close()  # noqa: S310 -- our own address


@dataclass(frozen=True)
class TakesClients:
    """PostgreSQL lets clients in."""

    port: int

    def __call__(self) -> None:
        """Come as one."""
        if (answer := _first_answer(self.port, SECONDS_TO_ANSWER)) != ASKS_FOR_PASSWORD:
            raise ConnectionError(f"PostgreSQL answers {answer!r}")


@dataclass(frozen=True)
class AnswersClients:
    """Whatever PostgreSQL answers, it lives: it may have too many connections, or read its log after a crash."""

    port: int

    def __call__(self) -> None:
        """Come as a client."""
        if not _first_answer(self.port, SECONDS_TO_LIVE):
            raise ConnectionError("PostgreSQL answers nothing")


def _first_answer(port: int, seconds: float) -> bytes:
    """The kind of PostgreSQL's first answer to a client, as pg_isready asks for it: one without a password leaves."""
    start = struct.pack("!I", PROTOCOL) + f"user\0{DATABASE_USER}\0database\0{DATABASE}\0\0".encode()
    with socket.create_connection((LOOPBACK, port), timeout=seconds) as connection:
        connection.sendall(struct.pack("!I", len(start) + 4) + start)
        return connection.recv(1)


@dataclass(frozen=True)
class WritesEntries:
    """SeaweedFS writes to each of its filer's databases, to one after the other.

    One that could not write once, as on a full disk, never does so again until it is opened anew, and nothing else
    tells so. After a failure the same one is asked until it writes. While the disk has no room a new start is of no
    help.
    """

    filer: str
    """Its address."""
    data: Path
    directories: deque[str]
    """One for each database."""

    def __call__(self) -> None:
        """Write to the next."""
        url = f"{self.filer}{self.directories[0]}/health"
        request = urllib.request.Request(url, data=b"", method="PUT")  # noqa: S310 -- ours
        try:
            urllib.request.urlopen(request, timeout=SECONDS_TO_LIVE).close()  # noqa: S310 -- our own address
        except HTTPError:
            if shutil.disk_usage(self.data).free < LEAST_ROOM:
                return
            raise
        self.directories.rotate()
