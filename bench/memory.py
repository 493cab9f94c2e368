"""The most memory that each program of the platform has had, while somebody looks."""

import re
import threading
from collections import defaultdict
from types import TracebackType

import psutil

SECONDS = 0.5
MIB = 1024 * 1024


class Peaks:
    """Samples the proportional set size (PSS: shared pages count once in all) of a process and all that it started.

    Args:
        pid: of the platform's first process; None when it is not ours to look at.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._peaks: dict[str, int] = defaultdict(int)
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

    def lines(self) -> list[str]:
        """A table with a row for each program, the largest first, and the sum of all at its peak."""
        rows = [
            f"| {name} | {peak / MIB:.0f} |" for name, peak in sorted(self._peaks.items(), key=lambda item: -item[1])
        ]
        return ["", "| peak memory | MiB |", "|---|--:|", *rows] if rows else []

    def _sample(self) -> None:
        while self._pid and not self._stop.wait(SECONDS):
            now: dict[str, int] = defaultdict(int)
            for process in psutil.Process(self._pid).children(recursive=True):
                try:
                    used = process.memory_full_info().pss
                    now[_name(process)] += used
                    now["all"] += used
                except psutil.NoSuchProcess:
                    continue
            for name, used in now.items():
                self._peaks[name] = max(self._peaks[name], used)


def _name(process: psutil.Process) -> str:
    """Copies of a function are numbered, and count as one."""
    return re.sub(r"-\d+$", "", process.name())
