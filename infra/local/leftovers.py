"""Processes of an earlier start that were left behind, such as by kill -9."""

import signal
from pathlib import Path

import psutil

from infra.local.folder import MARK, DataFolder
from infra.local.supervise import SUPERVISOR

SECONDS_TO_STOP = 30
SECONDS_TO_DIE = 5


def find_leftovers(folder: DataFolder) -> list[psutil.Process]:
    """The processes of a platform on this folder."""
    return [process for process in psutil.process_iter() if _belongs(process, folder.root)]


def stop_leftovers(folder: DataFolder) -> int:
    """Stop them, the supervisor first as it stops the others in order; returns how many there were."""
    found = find_leftovers(folder)
    supervisors = [process for process in found if _name(process) == SUPERVISOR]
    _signal(supervisors or found, signal.SIGTERM)
    psutil.wait_procs(found, timeout=SECONDS_TO_STOP)
    kill_leftovers(folder)
    return len(found)


def kill_leftovers(folder: DataFolder) -> None:
    """End at once whatever is there."""
    remaining = find_leftovers(folder)
    _signal(remaining, signal.SIGKILL)
    psutil.wait_procs(remaining, timeout=SECONDS_TO_DIE)


def _belongs(process: psutil.Process, root: Path) -> bool:
    try:
        if process.environ().get(MARK) == str(root):
            return True
        # PostgreSQL writes its title over its environment; it works in its data.
        return process.cwd() == str(root / "postgres")
    except (psutil.Error, OSError):
        return False  # gone, or another user's


def _name(process: psutil.Process) -> str:
    """Its own: the command line of what the supervisor has forked is the supervisor's."""
    try:
        return process.name()
    except psutil.Error:
        return ""


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
