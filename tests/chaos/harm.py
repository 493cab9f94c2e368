"""What befalls the platform: processes are killed, stopped for a while and ended, disks are full, streams are gone."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.chaos.world import SERVERS, World

KILL, END, PAUSE = "killed", "ended", "stopped for a while"
WEIGHTS = {KILL: 5, END: 2, PAUSE: 4}
CENTRAL = (*SERVERS, "connector")
WAITED_FOR = (*SERVERS, "upload", "status")


class Victim(NamedTuple):
    """A process that something is done to."""

    name: str
    pid: int


class Harm:
    """Does harm to random processes, and counts it."""

    def __init__(self, world: World, chance: random.Random, log: Path) -> None:
        self._world, self._chance, self._log = world, chance, log
        self._wakers: list[threading.Timer] = []
        self.done: Counter[tuple[str, str]] = Counter()

    def hurt(self) -> None:
        """Do something to one process."""
        victim = self._victim()
        what = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if what == PAUSE:
            # What others wait for comes back soon. A function may sleep through its lease: then another one takes the
            # work, and this one wakes up in the middle of it.
            seconds = self._chance.choice([0.1, 0.5, 1, 2] if victim.name in WAITED_FOR else [1, 4, 8, 22])
            self._pause(victim, seconds)
        else:
            seconds = 0
            with suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL if what == KILL else signal.SIGTERM)
        self.note(f"{what} {victim.name} ({victim.pid}) {seconds or ''}")
        self.done[what, victim.name] += 1

    def note(self, text: str) -> None:
        """Write down what is done, with its time."""
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%H:%M:%S')}.{int(time.time() * 1000) % 1000:03} {text}\n")

    def end(self) -> None:
        """Wake whatever is still stopped."""
        for waker in self._wakers:
            waker.cancel()
            waker.function(*waker.args)  # again, for those that had not come yet; to wake twice does nothing
        self._wakers.clear()

    def _victim(self) -> Victim:
        """A server as often as a function: there are more functions, and a start of one takes longer."""
        while True:
            running = self._world.platform.all_pids()
            servers = [name for name in running if name in CENTRAL]
            others = [name for name in running if name not in CENTRAL]
            names = servers if self._chance.random() < 0.5 else others
            if not names:
                time.sleep(0.1)
                continue
            name = self._chance.choice(names)
            pid = running[name]
            if name == "postgres" and self._chance.random() < 0.3:  # one of its own processes, such as a session
                with suppress(psutil.Error):
                    if children := psutil.Process(pid).children():
                        pid = self._chance.choice(children).pid
            return Victim(name, pid)

    def _pause(self, victim: Victim, seconds: float) -> None:
        with suppress(psutil.Error):
            process = psutil.Process(victim.pid)  # knows when another process has got the id
            process.suspend()
            waker = threading.Timer(seconds, _wake, [process])
            waker.daemon = True
            self._wakers.append(waker)
            waker.start()


def _wake(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.resume()


def with_full_disk(world: World, folder: str, seconds: float, note: Callable[[str], None]) -> None:
    """Let nothing below a folder of the data grow for some seconds."""
    note(f"the disk of {folder} is full for {seconds:.1f} s")
    world.disk.set_full(f"data/{folder}", True)
    try:
        time.sleep(seconds)
    finally:
        world.disk.set_full(f"data/{folder}", False)
