"""A CPU limit by the kernel's cpu controller, of cgroups as they are (v2) or were (v1)."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PERIOD_MICROSECONDS = 100_000
V2 = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Quota:
    """A cgroup that processes enter to be limited together."""

    name: str

    @property
    def _folder(self) -> Path:
        return _root() / self.name

    def make(self) -> None:
        """Make it, without a limit yet."""
        self._folder.mkdir()

    def limit(self, cores: float) -> None:
        """Let its processes use this share of a core together, or this many cores."""
        quota = int(cores * PERIOD_MICROSECONDS)
        if _is_v2():
            (self._folder / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
        else:
            (self._folder / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (self._folder / "cpu.cfs_quota_us").write_text(str(quota))

    def enter(self) -> None:
        """Move this process in; its children are born there."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self) -> list[int]:
        """The processes inside."""
        try:
            return [int(line) for line in (self._folder / "cgroup.procs").read_text().split()]
        except FileNotFoundError:
            return []

    def periods(self) -> tuple[int, int]:
        """The periods in which its processes ran under a limit, and those of them in which it held them back."""
        numbers = dict(line.split() for line in (self._folder / "cpu.stat").read_text().splitlines())
        return int(numbers["nr_periods"]), int(numbers["nr_throttled"])

    def remove(self) -> None:
        """Remove it, which needs that nothing runs inside."""
        self._folder.rmdir()


def quotas(prefix: str) -> list[Quota]:
    """Those whose name begins so, also of earlier runs."""
    return [Quota(folder.name) for folder in _root().glob(f"{prefix}*")]


def why_not() -> str:
    """Why there can be no quotas on this machine; empty when there can."""
    try:
        root = _root()
    except FileNotFoundError as error:
        return str(error)
    return "" if os.access(root, os.W_OK) else f"{root} can't be written"


def _is_v2() -> bool:
    return (V2 / "cgroup.controllers").is_file()


@cache
def _root() -> Path:
    """The folder of the cpu controller.

    Raises:
        FileNotFoundError: it has none.
    """
    if _is_v2():
        if "cpu" not in (V2 / "cgroup.subtree_control").read_text().split():
            raise FileNotFoundError(f"the cpu controller is not passed on by {V2}/cgroup.subtree_control")
        return V2
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return Path(place)
    raise FileNotFoundError("there is no cpu controller of cgroups")
