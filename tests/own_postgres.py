"""A PostgreSQL of the tests' own: nothing of it is synced, so that it is quick."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pg8000.native

from infra.local.ports import pick_free_port
from infra.local.postgres import BINARIES

SECONDS_TO_START = 30
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=32MB")
EVERYBODY = "nobody"
"""PostgreSQL does not run as root; this user is on every system."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """A server in a temporary folder; the address of its database, as anybody may use it on this machine."""
    with tempfile.TemporaryDirectory(prefix="countermark-postgres-") as folder:
        owner = EVERYBODY if os.geteuid() == 0 else None
        if owner:
            shutil.chown(folder, owner)
            _let_through(BINARIES)
        data, port = Path(folder) / "data", pick_free_port()
        options = ["--auth=trust", "--username=tests", "--no-sync", "--no-instructions", "--encoding=UTF8"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        _run([BINARIES / "initdb", f"--pgdata={data}", *options], folder, owner)
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "timezone=UTC", *QUICK]
        command = [BINARIES / "postgres", "-D", data, *(word for each in settings for word in ("-c", each))]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stderr=log, **_as(owner))
        try:
            _wait(port, process)
            yield f"postgresql://tests@127.0.0.1:{port}/postgres"
        finally:
            process.kill()
            process.wait()


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """A new database in a server that runs; its address."""
    url, name = urlsplit(server), f"tests_{os.getpid()}_{time.monotonic_ns()}"
    maker = pg8000.native.Connection(
        url.username or "tests", host=url.hostname, port=url.port, database=url.path.lstrip("/"), timeout=30
    )
    maker.run(f"CREATE DATABASE {name}")
    try:
        yield url._replace(path=f"/{name}").geturl()
    finally:
        maker.run(f"DROP DATABASE {name} WITH (FORCE)")
        maker.close()


def _run(command: list[str | Path], folder: str, owner: str | None) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **_as(owner))


def _as(owner: str | None) -> dict[str, object]:
    return {"user": owner, "group": pwd.getpwnam(owner).pw_gid, "extra_groups": []} if owner else {}


def _let_through(path: Path) -> None:
    for parent in path.parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o001)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            pg8000.native.Connection("tests", host="127.0.0.1", port=port, database="postgres", timeout=5).close()
        except (pg8000.exceptions.Error, OSError):
            assert process.poll() is None, "PostgreSQL has ended"
            assert time.monotonic() < end, "PostgreSQL does not answer"
            time.sleep(0.02)
        else:
            return
