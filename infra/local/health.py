"""Waiting until every process works, and saying which one does not."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.errors import PlatformError
from infra.local import supervise
from infra.local.folder import DataFolder
from infra.local.process import Process

SECONDS_TO_START = 180
"""Much, for a machine may be busy; what ends at once is noticed before."""
SECONDS_BETWEEN_CHECKS = 0.1
ENDINGS_TO_GIVE_UP = 2
"""How often a process may end at once before waiting for it makes no more sense."""
LOG_LINES = 12


class Wait:
    """The wait for some processes; ``seconds`` counts from when it was made."""

    def __init__(
        self, folder: DataFolder, supervisor: subprocess.Popen[bytes], report: Callable[[str, float], None]
    ) -> None:
        self._folder = folder
        self._supervisor = supervisor
        self._report = report
        self._started = time.monotonic()
        self._endings: dict[str, set[int]] = {}

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return time.monotonic() - self._started

    def until_healthy(self, processes: list[Process]) -> None:
        """Return when all of them work; each is reported when it does.

        Raises:
            PlatformError: one does not start, or the supervisor has ended; the message has the end of its log.
        """
        pending = {process.name: process for process in processes}
        while pending:
            if self._supervisor.poll() is not None:
                raise PlatformError(f"The supervisor ended. {_end_of_log(self._folder.logs / supervise.ERRORS)}")
            states = supervise.states(self._folder)
            for name, process in list(pending.items()):
                error = _check(process)
                if error is None:
                    del pending[name]
                    self._report(name, self.seconds)
                elif self._is_hopeless(states.get(name)):
                    raise PlatformError(f"{name} does not start. {_end_of_log(self._folder.logs / f'{name}.log')}")
                elif self.seconds > SECONDS_TO_START:
                    raise PlatformError(
                        f"{name} does not work after {SECONDS_TO_START} s: {error!r}."
                        f" {_end_of_log(self._folder.logs / f'{name}.log')}"
                    )
            time.sleep(SECONDS_BETWEEN_CHECKS)

    def _is_hopeless(self, state: dict[str, Any] | None) -> bool:
        if state is None:
            return False
        endings = self._endings.setdefault(state["name"], set())
        if state["stop"]:
            endings.add(state["stop"])
        return state["statename"] == "FATAL" or len(endings) >= ENDINGS_TO_GIVE_UP


def _check(process: Process) -> Exception | None:
    try:
        process.check()
    except Exception as error:  # whatever it is, it is not there yet
        return error
    return None


def _end_of_log(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        lines = []
    return "\n  ".join([f"The end of {path}:", *(lines or ["(nothing)"])])
