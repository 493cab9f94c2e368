"""A platform of its own for tests: started as people start it, on a temporary data folder and a free port."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

from infra.local import supervise
from infra.local.folder import DataFolder
from infra.local.leftovers import find_leftovers
from infra.local.ports import pick_free_port
from infra.local.stores import Store
from infra.project import ROOT
from tests.client import longer_pauses

SECONDS_TO_START = 240
SECONDS_TO_STOP = 120
STARTS = 3
TAKEN = "Address already in use"
"""Said when another platform has taken a port between the choice and the start; the next start chooses again."""
SECONDS_TO_CHANGE = 120

OUTSIDE = ("NATS_URL", "DATABASE_URL", "S3_ENDPOINT", "COUNTERMARK_DATA", "PORT")
"""Would lead the tests to servers and data that are not theirs."""


class Platform:
    """A platform, and the hands to kill parts of it.

    A name is that of a process (``nats``, ``watermark-1``) or of a function, which means all of its copies.
    """

    def __init__(self, data: Path, port: int, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.folder = DataFolder(data)
        self._environment = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
        self._environment |= environment or {}
        self._up: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> Path:
        """What ``up`` printed."""
        return self.data.with_name(f"{self.data.name}.out")

    @property
    def up(self) -> subprocess.Popen[bytes]:
        """The process that a person would have in the terminal."""
        assert self._up is not None
        return self._up

    @property
    def is_up(self) -> bool:
        """Whether ``up`` runs."""
        return self._up is not None and self._up.poll() is None

    def launch(self) -> subprocess.Popen[bytes]:
        """Start ``up`` and wait for nothing."""
        command = [sys.executable, "-m", "infra.local", "up", "--data", str(self.data), "--port", str(self.port)]
        with self.output.open("wb") as output:
            self._up = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        return self._up

    def open(self) -> float:
        """Start it and return after how many seconds it was ready."""
        started = time.monotonic()
        for _ in range(STARTS):
            process = self.launch()
            wait_until(lambda: self._is_ready(process.pid) or process.poll() is not None, SECONDS_TO_START)  # noqa: B023
            if process.poll() is None:
                return time.monotonic() - started
            if TAKEN not in self.output.read_text():
                break
        raise AssertionError(self.output.read_text())

    def close(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it as Ctrl-C does, if it runs, and make sure that nothing is left."""
        if self.is_up:
            self.up.send_signal(number)
            code = self.up.wait(SECONDS_TO_STOP)
            assert code == 0, self.output.read_text()
        assert find_leftovers(self.folder) == []

    @property
    def ports(self) -> dict[str, int]:
        """The ports of the parts, by name."""
        ports: dict[str, int] = json.loads(self.folder.ports.read_text())
        return ports

    def secret(self, name: str) -> str:
        """A secret, such as ``s3-access-key``, or ``upload/nats-url`` of a process."""
        return (self.folder.secrets / name).read_text()

    @property
    def database_url(self) -> str:
        """The database, with the functions' own password."""
        return self._environment.get("DATABASE_URL") or self.secret("database-url")

    @property
    def store_url(self) -> str:
        """The object store's own address, behind Caddy."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def store(self) -> str:
        """The object store's process."""
        return self._environment.get("STORE", Store.SEAWEEDFS)

    def processes(self, name: str) -> list[str]:
        """The names of the processes that are meant."""
        names = [each for each in supervise.states(self.folder) if each == name or each.rpartition("-")[0] == name]
        assert names, f"there is no {name}"
        return names

    def pids(self, name: str) -> list[int]:
        """The ids of the processes that run."""
        running = supervise.states(self.folder)
        return [running[each]["pid"] for each in self.processes(name) if running[each]["pid"]]

    def all_pids(self) -> dict[str, int]:
        """The id of each process that runs, by its name."""
        return {name: each["pid"] for name, each in supervise.states(self.folder).items() if each["pid"]}

    def kill(self, name: str) -> int:
        """End one process at once, as a crash does; the supervisor starts it again. Returns the id that it had."""
        pid = self.pids(name)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    @contextmanager
    def asleep(self, name: str) -> Iterator[None]:
        """The processes do nothing for a while, and do not know: as on a host that is overloaded or suspended."""
        pids = self.pids(name)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):  # it may have been killed meanwhile
                    os.kill(pid, signal.SIGCONT)

    def stop(self, name: str) -> None:
        """Stop the processes; they stay away until started."""
        with supervise.connected(self.folder) as supervisor:
            for full_name in self._full_names(name):
                supervisor.stopProcess(full_name)

    def start(self, name: str) -> None:
        """Start the processes that were stopped."""
        with supervise.connected(self.folder) as supervisor:
            for full_name in self._full_names(name):
                supervisor.startProcess(full_name)

    def logs(self, name: str) -> str:
        """What the processes have logged."""
        return "".join((self.folder.logs / f"{each}.log").read_text() for each in self.processes(name))

    def memory(self) -> dict[str, int]:
        """Resident bytes of each process that runs, with its children."""
        found = {}
        for name, pid in self.all_pids().items():
            process = psutil.Process(pid)
            found[name] = sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
        return found

    def answers(self, path: str) -> bool:
        """Whether a path is answered by what stands behind it, be it only with "there is no such job"."""
        try:
            return httpx.get(self.url + path, timeout=20).status_code < httpx.codes.INTERNAL_SERVER_ERROR
        except httpx.HTTPError:
            return False

    def _is_ready(self, pid: int) -> bool:
        try:
            return bool(json.loads(self.folder.running.read_text())["process"] == pid)  # not of one that was killed
        except (OSError, ValueError):
            return False

    def _full_names(self, name: str) -> list[str]:
        known = supervise.states(self.folder)
        return [f"{known[each]['group']}:{each}" for each in self.processes(name)]


@contextmanager
def temporary_platform(**environment: str) -> Iterator[Platform]:
    """A running platform with settings of its own; its data are gone afterwards."""
    with temporary_folder() as folder:
        platform = Platform(folder / "data", pick_free_port(), environment)
        try:
            platform.open()
            yield platform
        finally:
            platform.close()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder with a short path, for the supervisor's socket has one of at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="countermark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def wait_until(condition: Callable[[], object], seconds: float = SECONDS_TO_CHANGE) -> None:
    """Wait until something holds."""
    deadline, pauses = time.monotonic() + seconds, longer_pauses()
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(next(pauses))
