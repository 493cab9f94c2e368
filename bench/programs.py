"""What the programs of a platform use: processor time, and memory as the proportional set size (PSS), in which shared
pages count once in all.
"""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import psutil

SECONDS_BETWEEN_SAMPLES = 0.5
SECONDS_TO_SETTLE, SECONDS_IDLE = 20.0, 60.0
MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Idle:
    """What the programs use while nobody asks anything."""

    memory: dict[str, float]
    """MiB of each program."""
    processor: dict[str, float]
    """Percent of a core."""


def cpu_seconds(pid: int) -> dict[str, float]:
    """The processor time that each program has used so far, that of ended children included."""
    seconds: dict[str, float] = defaultdict(float)
    for name, process in _programs(pid):
        with suppress(psutil.NoSuchProcess):
            seconds[name] += sum(process.cpu_times()[:4])  # user, system, and the same of children that have ended
    return dict(seconds)


def memory(pid: int) -> dict[str, float]:
    """MiB that each program has now."""
    used: dict[str, float] = defaultdict(float)
    for name, process in _programs(pid):
        with suppress(psutil.NoSuchProcess):  # it has ended in this moment
            used[name] += process.memory_full_info().pss / MIB
    return dict(used)


def idle(pid: int) -> Idle:
    """Look at a platform at rest, for a minute."""
    time.sleep(SECONDS_TO_SETTLE)
    before = cpu_seconds(pid)
    time.sleep(SECONDS_IDLE)
    after = cpu_seconds(pid)
    return Idle(
        memory=memory(pid),
        processor={name: (after[name] - before.get(name, 0)) / SECONDS_IDLE * 100 for name in after},
    )


class Peaks:
    """The most memory in MiB that each program, and all of them at one time, have had while somebody looked."""

    def __init__(self, pid: int) -> None:
        self.memory: dict[str, float] = {}
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Peaks":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN_SAMPLES):
            now = memory(self._pid)
            for name, used in (*now.items(), ("all", sum(now.values()))):
                self.memory[name] = max(used, self.memory.get(name, 0))


def _programs(pid: int) -> Iterator[tuple[str, psutil.Process]]:
    """The processes of a platform whose first process is given, each with its program's name."""
    first = psutil.Process(pid)
    yield "up", first
    for process in first.children(recursive=True):
        try:
            with process.oneshot():
                yield _name(process), process
        except psutil.NoSuchProcess:  # it has ended in this moment
            continue


def _name(process: psutil.Process) -> str:
    """Copies of a function are numbered, and count as one. In 0.1.0 only their environment had their names."""
    name = re.sub(r"-\d+$", "", process.name())
    if name.startswith("python"):
        connector = "infra.connector" in process.cmdline()
        return "connector" if connector else process.environ().get("FUNCTION_NAME", "supervisord")
    return {"weed": "seaweedfs", "nats-server": "nats"}.get(name, name)
