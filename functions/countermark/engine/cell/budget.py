"""How much memory this process's cells may have together, and whose turn it is."""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from ..errors import TooLargeHere
from .errors import CellBusy

MIB = 1024 * 1024
SETTING = "MEMORY_LIMIT"
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_CGROUPS = Path("/sys/fs/cgroup")


class Budget:
    """Bytes that are shared out; safe to use by many threads."""

    def __init__(self, total: int) -> None:
        """Begin with all of it free."""
        self.total = total
        self._used = 0
        self._line: deque[object] = deque()  # who waits, the first to come first
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """What is out."""
        return self._used

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._line)

    def check(self, size: int) -> None:
        """Raise `TooLargeHere` when `size` bytes never fit."""
        if size > self.total:
            raise TooLargeHere(
                f"The image needs about {size // MIB:,} MiB of memory; there are {self.total // MIB:,} MiB here."
            )

    def hold(self, size: int, until: float, make_room: Callable[[], bool] = lambda: False) -> None:
        """Take `size` bytes; wait for them until a moment of the monotonic clock, behind those who came before.

        `make_room` gives back what nobody needs just now and tells whether there was such.
        Raises `TooLargeHere` when they never fit, and `CellBusy`.
        """
        self.check(size)
        place = object()
        with self._changed:
            self._line.append(place)
        try:
            while not self._takes(place, size):
                if self._line[0] is place and make_room():
                    continue
                with self._changed:
                    left = until - time.monotonic()
                    if left <= 0:
                        raise CellBusy
                    if self._line[0] is not place or self._used + size > self.total:
                        self._changed.wait(left)
        finally:
            with self._changed:
                self._line.remove(place)
                self._changed.notify_all()

    def _takes(self, place: object, size: int) -> bool:
        with self._changed:
            return self._line[0] is place and self.try_hold(size)

    def try_hold(self, size: int) -> bool:
        """Take `size` bytes if they are free, whoever waits."""
        with self._changed:
            if self._used + size > self.total:
                return False
            self._used += size
            return True

    def free(self, size: int) -> None:
        """Give `size` bytes back."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()


def bytes_for_cells() -> int:
    """Return what the cells may have of this process's memory.

    The rest is for the process itself, the files that it holds, and the helper: a quarter, of little memory more.
    """
    limit = memory_limit()
    return limit - max(limit // 4, min(256 * MIB, limit // 2))


def memory_limit() -> int:
    """Return the bytes that this process and its children may have: the least of the environment's, the container's,
    and the machine's."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    if text := os.environ.get(SETTING):
        found.append(_in_bytes(text))
    found += [int(text) for text in _limits_of_groups() if text.isdecimal()]
    return min(found)


def _in_bytes(text: str) -> int:
    """Return the bytes of a size as Kubernetes writes it."""
    match = re.fullmatch(r"(\d+)(\D*)", text.strip())
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{SETTING} is a size such as 2Gi, and not {text!r}.")
    return int(match[1]) * _UNITS[match[2]]


def _limits_of_groups() -> list[str]:
    """Return what is written in the limits of the control groups that this process is in, of either version.

    In a container its own group is the root of what one sees, whatever /proc says, so that is read as well.
    """
    found = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers and "memory" not in controllers.split(","):
            continue
        root = _CGROUPS / "memory" if controllers else _CGROUPS
        group = root / path.lstrip("/")
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        found += [_read(folder / name) for folder in (group, *group.parents) if folder.is_relative_to(root)]
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
