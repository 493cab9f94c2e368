"""A Python program that the supervisor forks is as one that was started anew."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra.local import supervise
from infra.local.folder import DataFolder
from infra.local.process import Process
from tests.platform_driver import wait_until

TELL = """
import json, os, signal, sys, time
from pathlib import Path

SHARED = ("countermark.services", "countermark.engine", "infra.connector.delivery")
numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGUSR2)
told = {
    "name": __name__,
    "words": sys.argv,
    "folder": os.getcwd(),
    "environment": dict(os.environ),
    "handlers": [getattr(signal.getsignal(each), "name", "Python's") for each in numbers],
    "files": sorted(os.listdir("/proc/self/fd"), key=int)[:-1],
    "loaded": [name for name in SHARED if name in sys.modules],
}
Path("told").write_text(json.dumps(told))
print("said to the log", flush=True)
if sys.argv[1:] == ["stay"]:
    time.sleep(60)
sys.exit("this is why")
"""


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder with a program that tells what it finds."""
    made = DataFolder(tmp_path)
    made.create()
    (tmp_path / "tell.py").write_text(TELL)
    return made


@contextmanager
def supervised(folder: DataFolder, *words: str) -> Iterator[int]:
    """The program under a supervisor; yields the supervisor's id."""
    process = Process(
        name="probe",
        group="functions",
        command=[sys.executable, str(folder.root / "tell.py"), *words],
        environment={"PATH": os.environ["PATH"], "OWN": "50% of it"},
        check=lambda: None,
        directory=folder.root,
    )
    supervise.configure(folder, [process])
    supervisor = supervise.start(folder, [process])
    try:
        wait_until(lambda: (folder.root / "told").exists() and (folder.root / "told").read_text())
        yield supervisor.pid
    finally:
        supervisor.terminate()
        supervisor.wait()


def test_it_finds_what_a_new_process_would_find(folder: DataFolder) -> None:
    with supervised(folder, "stay"):
        told = json.loads((folder.root / "told").read_text())
    assert (told["name"], told["words"], told["folder"]) == (
        "__main__",
        [str(folder.root / "tell.py"), "stay"],
        str(folder.root),
    )
    common = ("PATH", "SUPERVISOR_", "MALLOC_", "LC_")
    own = {name: value for name, value in told["environment"].items() if not name.startswith(common)}
    assert own == {"OWN": "50% of it"}
    assert told["handlers"] == ["SIG_DFL", "Python's", *["SIG_DFL"] * 4]
    assert told["files"] == ["0", "1", "2"]


def test_it_has_the_library_already_and_a_name_of_its_own(folder: DataFolder) -> None:
    with supervised(folder, "stay") as supervisor:
        (child,) = psutil.Process(supervisor).children()
        assert child.name() == "probe"
        assert psutil.Process(supervisor).name() == supervise.SUPERVISOR
        assert len(json.loads((folder.root / "told").read_text())["loaded"]) == 3
        child.send_signal(signal.SIGTERM)
        child.wait(10)


def test_its_end_is_told_as_by_any_other(folder: DataFolder) -> None:
    with supervised(folder):
        wait_until(lambda: "exited: probe (exit status 1" in (folder.logs / "supervisord.log").read_text())
    log = (folder.logs / "probe.log").read_text()
    assert log.startswith("said to the log\nthis is why\n")
