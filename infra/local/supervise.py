"""The supervisor (supervisord): starts the parts, starts again what dies, and stops them in the right order."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from infra.local.folder import DataFolder
from infra.local.parts import GROUPS, Part
from infra.local.render import render_to

MARK = "COUNTERMARK_PLATFORM"
"""In the environment of every process of a platform: its data folder."""

PR_SET_PDEATHSIG = 1

OTHERS_SETTINGS = (
    *("AWS_", "PG", "SUPERVISOR_", "WEED_", "MINIO_", "CADDY_"),
    *("S3_BUCKET", "S3_TABLE_BUCKET", "S3_EXTERNAL_URL"),
)
"""Variables for the caller's own clients and servers, which ours would read as well."""


@contextmanager
def connected(folder: DataFolder) -> Iterator[Any]:
    """The supervisor's interface; its methods raise OSError while it does not run."""
    transport = SupervisorTransport(None, None, f"unix://{folder.socket}")
    try:
        yield ServerProxy("http://127.0.0.1", transport).supervisor
    finally:
        transport.close()


def start(folder: DataFolder, parts: list[Part]) -> subprocess.Popen[bytes]:
    """Start the supervisor, which starts the parts.

    It gets SIGTERM when this process ends in whatever way, and then stops them all.
    """
    groups = {group: [part for part in parts if part.group == group] for group in GROUPS}
    configuration = render_to(
        folder.configuration / "supervisord.conf",
        "local/supervisord.conf.j2",
        groups={group: members for group, members in groups.items() if members},
        logs=folder.logs,
        pidfile=folder.root / "supervisord.pid",
        socket=folder.socket,
        user="root" if os.geteuid() == 0 else None,
    )
    libc = ctypes.CDLL(None)
    return subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(configuration)],
        env=inherited_environment() | {MARK: str(folder.root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder.logs / "supervisord.err").open("wb"),
        start_new_session=True,  # Ctrl-C in the terminal is ours to handle: parts stop in order
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
    )


def inherited_environment() -> dict[str, str]:
    """This process's environment, so that any setting can be given to ``up``, without what others' programs read."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OTHERS_SETTINGS)}


def start_part(folder: DataFolder, part: Part) -> None:
    """Start a part that does not start at once."""
    with connected(folder) as supervisor:
        supervisor.startProcess(f"{part.group}:{part.name}", False)


def processes(folder: DataFolder) -> dict[str, dict[str, Any]]:
    """What the supervisor knows of each process, by name; empty while it does not run."""
    try:
        with connected(folder) as supervisor:
            return {process["name"]: process for process in supervisor.getAllProcessInfo()}
    except (OSError, Fault):
        return {}
