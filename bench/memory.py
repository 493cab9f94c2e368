"""The most memory that each process of the platform has had."""

from collections import defaultdict
from pathlib import Path

import psutil


class Peaks:
    """Reads the peaks that the kernel keeps (VmHWM) of a process and all that it started.

    Args:
        pid: of the platform's first process; None when it is not ours to look at.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid

    def print(self) -> None:
        """Print a line for each program, the largest first, and the sum of all."""
        if self._pid is None:
            return
        peaks: dict[str, list[int]] = defaultdict(list)
        for process in psutil.Process(self._pid).children(recursive=True):
            try:
                peaks[_name(process)].append(_peak(process.pid))
            except (psutil.NoSuchProcess, FileNotFoundError):
                continue
        print(f"\n{'peak memory':26}{'MiB':>9}")
        for name, values in sorted(peaks.items(), key=lambda item: -sum(item[1])):
            copies = f" ({len(values)})" if len(values) > 1 else ""
            print(f"{name + copies:26}{sum(values):9d}")
        print(f"{'all':26}{sum(map(sum, peaks.values())):9d}")


def _name(process: psutil.Process) -> str:
    command = process.cmdline()
    name = process.environ().get("FUNCTION_NAME")
    return name or ("connector" if "infra.connector" in command else process.name())


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0
