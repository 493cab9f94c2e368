"""What the platform needs on this machine, and whether it is there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from infra.errors import PlatformError
from infra.local.assets import require_assets
from infra.local.folder import DataFolder
from infra.local.ports import require_free
from infra.local.postgres import BINARIES as POSTGRES_BINARIES
from infra.local.postgres import SYSTEM_USER, find_useradd, has_user
from infra.local.stores import Store, require_same_store
from infra.project import BINARIES, STACK
from infra.tools import find

FREE_BYTES = 2_000_000_000
"""What a job of some gigabytes and the servers' own files take at least."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    good: bool
    text: str
    needed: bool = True
    """False: the platform works without it, if slower or untested."""


def examine(folder: DataFolder, port: int, hosts: list[str], store: Store) -> Iterator[Finding]:
    """Look at everything that a start needs."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(name="python", good=sys.version_info >= (3, 11), text=f"{version} in {sys.prefix}")
    yield _program("nats", [BINARIES / "nats-server", "--version"])
    yield _program("postgres", [POSTGRES_BINARIES / "postgres", "--version"])
    yield _minio() if store is Store.MINIO else _program("seaweedfs", [BINARIES / "weed", "version"])
    yield _store(folder, store)
    yield _program("caddy", [BINARIES / "caddy", "version"])
    yield (assets := _assets())
    if assets.good:
        yield _jpeg()
    yield _user()
    yield _port(port, hosts)
    yield _space(folder.root)
    yield Finding(name="functions", good=STACK.is_file(), text=str(STACK))
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    yield Finding(
        name="browser", good=browser is not None, text=browser or "no Chromium: make test gets one", needed=False
    )


def _program(name: str, command: list[Path | str]) -> Finding:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name=name, good=False, text=f"{error}; make env installs it")
    return Finding(name=name, good=True, text=(answer.stdout or answer.stderr).splitlines()[0])


def _minio() -> Finding:
    if program := find("minio"):
        return _program("minio", [program, "--version"])
    return Finding(
        name="minio", good=False, text="not built yet: the first start does so, in some minutes", needed=False
    )


def _store(folder: DataFolder, store: Store) -> Finding:
    try:
        require_same_store(folder, store)
    except PlatformError as error:
        return Finding(name="store", good=False, text=str(error))
    return Finding(name="store", good=True, text=f"{store}, for all that {folder.root} keeps")


def _assets() -> Finding:
    try:
        require_assets()
    except PlatformError as error:
        return Finding(name="assets", good=False, text=str(error))
    return Finding(name="assets", good=True, text=os.environ.get("COUNTERMARK_ASSETS") or "those that ship")


def _jpeg() -> Finding:
    """JPEG files are marked without being decoded where the engine's kernel could be compiled."""
    from countermark.engine import why_no_kernel  # here: with wrong assets it can't be imported

    missing = why_no_kernel()
    good = "marked in their coefficients"
    remedy = "apt-get install gcc python3-dev, then .venv/bin/pip install --no-deps --editable ."
    bad = f"marked on their pixels, which is slower. {missing} ({remedy})"
    return Finding(name="jpeg", good=not missing, text=bad if missing else good, needed=False)


def _user() -> Finding:
    if os.geteuid() != 0:
        return Finding(name="user", good=True, text="an ordinary one")
    if has_user(SYSTEM_USER):
        return Finding(name="user", good=True, text=f"root; PostgreSQL runs as {SYSTEM_USER}")
    if find_useradd():
        return Finding(name="user", good=True, text="root; PostgreSQL gets a user of its own")
    text = "root, but no useradd to make a user for PostgreSQL: apt-get install passwd"
    return Finding(name="user", good=False, text=text)


def _port(port: int, hosts: list[str]) -> Finding:
    try:
        with ExitStack() as reservations:
            require_free(port, hosts, reservations)
    except PlatformError as error:
        return Finding(name="port", good=False, text=str(error))
    return Finding(name="port", good=True, text=f"{port} is free")


def _space(folder: Path) -> Finding:
    there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:.0f} GB free for {folder}"
    return Finding(name="space", good=free > FREE_BYTES and os.access(there, os.W_OK), text=text)
