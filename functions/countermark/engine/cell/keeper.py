"""The process's side of the helper, and of each cell."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from math import ceil
from pathlib import Path
from typing import Any

from ..assets import assets
from .errors import CellLost
from .protocol import Ended, Line
from .tasks import own_modules

START_SECONDS = 60.0
ANSWER_SECONDS = 10.0
_BEGIN = """
import sys
sys.path[:] = {paths!r}
from countermark.engine.cell.helper import main
main({line}, {modules!r})
"""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONDONTWRITEBYTECODE", "COUNTERMARK_FIND_LEAKS")
_OWN = {
    # One heap, and one thread of NumPy: what a thread reserves counts against a cell's limit.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "67108864",
    "OPENBLAS_NUM_THREADS": "1",
}


class Cell:
    """A cell, which belongs to one thread at a time. Its number stays its own until the helper is told to end it."""

    def __init__(self, pid: int, line: Line) -> None:
        """Take a new cell."""
        self.pid = pid
        self.line = line
        self.scope: str | None = None
        self.options: object = None  # what it has been sent
        self.images = 0
        self.free_since = 0.0
        self._size, self._filled = _memory_of(pid)
        self._allowed = 0
        self._clock = (~pid << 3) | 2  # the kernel's name for the clock of a process's processor time

    @property
    def is_waiting(self) -> bool:
        """Whether it lives and says nothing, as one does that waits for work."""
        return not self.line.has_news()

    def grown(self) -> int:
        """Return the bytes that it has filled since it began."""
        return _memory_of(self.pid)[1] - self._filled

    def cpu_seconds(self) -> float:
        """Return the processor time that it has had."""
        return time.clock_gettime(self._clock)

    def allow_memory(self, size: int) -> None:
        """Let it have `size` bytes beside what it began with; it cannot change that itself."""
        if size != self._allowed:
            resource.prlimit(self.pid, resource.RLIMIT_AS, (self._size + size, resource.RLIM_INFINITY))
            self._allowed = size

    def allow_seconds(self, seconds: float) -> None:
        """Let it have so much processor time from now on."""
        end = ceil(self.cpu_seconds() + seconds) + 1
        resource.prlimit(self.pid, resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))


def _memory_of(pid: int) -> tuple[int, int]:
    """Return the bytes of a process's memory, and how many of its own are filled, as the kernel says it."""
    whole, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    page = os.sysconf("SC_PAGE_SIZE")
    return int(whole) * page, (int(resident) - int(shared)) * page


class Helper:
    """The helper, with the cells that it makes; safe to use by many threads."""

    def __init__(self) -> None:
        """Start it; it is ready when it says so."""
        self.folder = assets().folder
        self.modules = own_modules()
        self._lock = threading.Lock()
        self._spare: deque[Cell] = deque()
        self._ordered = 0
        self.gone = False  # it has ended, and its cells with it
        self._line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        paths = [os.path.abspath(path) for path in sys.path]  # noqa: PTH100
        code = _BEGIN.format(paths=paths, line=other.fileno(), modules=self.modules)
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=_environment(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[other.fileno()],
        )
        other.close()
        self._line.settimeout(START_SECONDS)
        said = self._receive()
        if "failed" in said:
            self.close()
            raise CellLost(f"The helper of the cells does not start: {said['failed']}")
        self._line.settimeout(ANSWER_SECONDS)
        self.missing: list[str] = []
        """What the cells could not give up."""

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def is_of_today(self) -> bool:
        """Whether it lives, and knows the assets and the tasks that this process knows."""
        return not self.gone and (self.folder, self.modules) == (assets().folder, own_modules())

    def order(self) -> None:
        """Have a cell made, for the next image that needs one."""
        with self._lock:
            if self._ordered + len(self._spare) == 0:
                self._order()

    def take(self) -> Cell:
        """Return a new cell."""
        with self._lock:
            if not self._spare and not self._ordered:
                self._order()
            while self._ordered:
                self._receive()
            cell = self._spare.popleft()
        cell.line.wait_until(time.monotonic() + ANSWER_SECONDS)
        try:
            said, _ = cell.line.receive(0)
        except (Ended, TimeoutError):
            self.end(cell)
            raise CellLost("A new cell ended before it began.") from None
        self.missing = said["missing"]
        return cell

    def end(self, cell: Cell) -> int | None:
        """Kill a cell; return the signal that it had ended by before, None when it had not, or by itself."""
        cell.line.close()
        with self._lock:
            try:
                self._send(b"end %d" % cell.pid)
                while "ended" not in (said := self._receive()):
                    pass
            except CellLost:
                return signal.SIGKILL
        status = int(said["ended"])
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else None

    def close(self) -> None:
        """End it, and with it all cells."""
        self.gone = True
        self._line.close()
        self._process.kill()
        self._process.wait()
        for cell in self._spare:
            cell.line.close()

    def _order(self) -> None:
        self._send(b"fork")
        self._ordered += 1

    def _send(self, order: bytes) -> None:
        try:
            self._line.send(order, socket.MSG_NOSIGNAL)
        except OSError:
            raise self._ended() from None

    def _receive(self) -> dict[str, Any]:
        """Return what the helper says; a cell that it hands out is put with the spare ones."""
        try:
            packet, files, _, _ = socket.recv_fds(self._line, 4096, 2)
        except OSError:
            packet, files = b"", []
        if not packet:
            raise self._ended()
        said: dict[str, Any] = json.loads(packet)
        if "forked" in said:
            self._ordered -= 1
            self._spare.append(Cell(said["forked"], Line(socket.socket(fileno=files[0]), files[1])))
        return said

    def _ended(self) -> CellLost:
        self.gone = True
        return CellLost("The helper of the cells has ended.")


def _environment(folder: Path | None) -> dict[str, str]:
    """Return the helper's environment: nothing that is not named here."""
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return known | _OWN | ({"COUNTERMARK_ASSETS": str(folder)} if folder else {})
