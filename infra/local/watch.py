"""Starts a process again that lives and does not work, and one that the supervisor has given up.

A server may need a new start to work again, and does not end by itself: nats-server keeps the first error of a write,
such as of a full disk, until then.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xmlrpc.client import Fault

from infra.local import supervise
from infra.local.folder import DataFolder
from infra.local.process import Process

SECONDS_UNHEALTHY = 15.0
"""After so long without a good answer a process is started again."""
SECONDS_TO_START = 120.0
"""A process that has just started, and has not worked yet, is left alone for so long: it may be reading its data."""
RUNNING, FATAL = "RUNNING", "FATAL"


@dataclass(kw_only=True)
class Watch:
    """What is known of processes, between two looks."""

    processes: list[Process]
    start_again: Callable[[Process, str], None]
    """Told the process and why."""
    clock: Callable[[], float] = time.monotonic
    _worked: dict[str, int] = field(default_factory=dict)
    """The id of the process that has worked, by name."""
    _unhealthy: dict[str, float] = field(default_factory=dict)
    """Since when."""

    def look(self, states: dict[str, dict[str, Any]]) -> None:
        """Look at every process once.

        Args:
            states: what the supervisor knows of each; who was stopped on purpose is left alone.
        """
        for process in self.processes:
            state = states.get(process.name, {"statename": ""})
            if error := self._what_is_wrong(process, state):
                since = self._unhealthy.setdefault(process.name, self.clock())
                if self.clock() - since >= SECONDS_UNHEALTHY:
                    del self._unhealthy[process.name]
                    self.start_again(process, error)
            else:
                self._unhealthy.pop(process.name, None)

    def _what_is_wrong(self, process: Process, state: dict[str, Any]) -> str:
        """Empty: nothing that a new start would help."""
        if state["statename"] == FATAL:
            return "it ended again and again"
        if state["statename"] != RUNNING or process.health is None:
            return ""
        try:
            process.health()
        except Exception as error:  # whatever it is, it does not work
            starts = self._worked.get(process.name) != state["pid"]
            if starts and state["now"] - state["start"] < SECONDS_TO_START:
                return ""
            return str(error) or type(error).__name__
        self._worked[process.name] = state["pid"]
        return ""


def watch(folder: DataFolder, processes: list[Process], say: Callable[[str], object]) -> Watch:
    """A watch on the processes of a running platform."""

    def start_again(process: Process, error: str) -> None:
        say(f"{process.name} does not work ({error}) and is started again.")
        name = f"{process.group}:{process.name}"
        with supervise.connected(folder) as supervisor:
            for change in (supervisor.stopProcess, supervisor.startProcess):
                try:
                    change(name)
                except (Fault, OSError):  # it has ended, or was started, in this moment
                    continue

    return Watch(processes=processes, start_again=start_again)
