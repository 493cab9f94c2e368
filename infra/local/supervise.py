"""The supervisor (supervisord): starts the processes, starts again what dies, and stops them in the right order."""

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy, Transport

from infra.credentials import write_private
from infra.errors import PlatformError
from infra.local.folder import DataFolder
from infra.local.process import GROUPS, Process
from infra.render import render

PR_SET_PDEATHSIG = 1
SUPERVISOR = "supervisord"
"""The name that its process gives itself."""
ERRORS = "supervisord.err"
"""Its log of what it could not log."""
MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "4194304"}
"""How glibc gives memory back, which a process is told before it begins: the forks keep fewer heaps for their threads,
and less at the end of each. With less than 4 MiB there marking costs a tenth more."""
QUOTES = "\"'"

OTHERS_SETTINGS = (
    *("AWS_", "PG", "SUPERVISOR_", "WEED_", "MINIO_", "CADDY_"),
    *("S3_BUCKET", "S3_TABLE_BUCKET", "S3_EXTERNAL_URL"),
)
"""Variables for the caller's own clients and servers, which ours would read as well."""


class _Connection(HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect, as the base class would to its host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


class _Transport(Transport):
    """The way to a Unix socket. The supervisor's own one would bring half of the supervisor with it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> HTTPConnection:
        """The connection, which is made when the first question is asked."""
        if self._connection[1] is None:
            self._connection = host, _Connection(self._path)
        return self._connection[1]  # type: ignore[return-value]


@contextmanager
def connected(folder: DataFolder) -> Iterator[Any]:
    """The supervisor's interface; its methods raise OSError while it does not run."""
    with ServerProxy("http://localhost", _Transport(folder.socket)) as proxy:
        yield proxy.supervisor


def configure(folder: DataFolder, processes: list[Process]) -> None:
    """Write what the supervisor reads.

    Raises:
        PlatformError: something can't be told to it.
    """
    write_private(_file(folder), _configuration(folder, processes))


def start(folder: DataFolder, processes: list[Process]) -> subprocess.Popen[bytes]:
    """Start the supervisor, which was configured for these processes and starts them.

    It gets SIGTERM when this process ends in whatever way, and then stops them all.
    """
    libc = ctypes.CDLL(None)
    with (folder.logs / ERRORS).open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "infra.local.supervisor", "--configuration", str(_file(folder))],
            env=_common(processes) | MALLOC,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,  # Ctrl-C in the terminal is ours to handle: processes stop in order
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
        )


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What processes inherit, so that any setting can be given to ``up``, without what others' programs read."""
    return {name: value for name, value in environ.items() if not name.startswith(OTHERS_SETTINGS)}


def start_process(folder: DataFolder, process: Process) -> None:
    """Start a process that does not start at once."""
    with connected(folder) as supervisor:
        supervisor.startProcess(f"{process.group}:{process.name}", False)


def states(folder: DataFolder) -> dict[str, dict[str, Any]]:
    """What the supervisor knows of each process, by name; empty while it does not run."""
    try:
        with connected(folder) as supervisor:
            return {state["name"]: state for state in supervisor.getAllProcessInfo()}
    except (OSError, Fault):
        return {}


def _file(folder: DataFolder) -> Path:
    return folder.configuration / "supervisord.conf"


def _common(processes: list[Process]) -> dict[str, str]:
    """What all of them have in their environment: they inherit it from the supervisor, in any form."""
    return dict(set.intersection(*(set(process.environment.items()) for process in processes)))


def _configuration(folder: DataFolder, processes: list[Process]) -> str:
    common = _common(processes)
    own = {process.name: dict(process.environment.items() - common.items()) for process in processes}
    groups = {group: [process for process in processes if process.group == group] for group in GROUPS}
    return render(
        "local/supervisord.conf.j2",
        groups={group: members for group, members in groups.items() if members},
        environments={name: environment(dict(sorted(variables.items()))) for name, variables in own.items()},
        logs=literal(folder.logs),
        pidfile=literal(folder.root / "supervisord.pid"),
        socket=literal(folder.socket),
        user="root" if os.geteuid() == 0 else None,
        command_line=command_line,
        literal=literal,
    )


def command_line(words: list[str]) -> str:
    """A command as the supervisor's configuration takes it."""
    return literal(shlex.join(words))


def literal(text: object) -> str:
    """A text in which the supervisor replaces nothing.

    Raises:
        PlatformError: no line of a configuration file can hold it.
    """
    if "\n" in str(text):
        raise PlatformError(f"A line break can't be passed on: {text!r}")
    return str(text).replace("%", "%%")


def environment(variables: dict[str, str]) -> str:
    """An environment as the supervisor's configuration takes it.

    Raises:
        PlatformError: a value has both kinds of quotes, or one at an end, for which there is no way to write it.
    """
    pairs = []
    for name, value in variables.items():
        quote = "'" if '"' in value else '"'
        if quote in value or value != value.strip(QUOTES):
            raise PlatformError(f"{name} can't be passed on because of its quotes: {value!r}")
        pairs.append(f"{name}={quote}{literal(value)}{quote}")
    return ",".join(pairs)
