"""Behind OpenFaaS's watchdog a function goes on after SIGTERM, for the watchdog takes requests for a while yet.

The watchdog's place is taken by a shell here, which is a parent and nothing else; tests/images/test_fronts.py has the
same with the real one where it can be had.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from infra.local.ports import pick_free_port
from tests.platform_driver import wait_until
from tests.served import TEMPLATE, answers

HANDLER = """
import time
from pathlib import Path


def handle(event, context):
    if "sleep" in event.query:
        (Path(__file__).parent / "began").touch()
        time.sleep(1)
    return {"statusCode": 200, "body": b"finished"}
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has started the function as the watchdog does."""
    (tmp_path / "handler.py").write_text(HANDLER)
    # Whatever starts the watchdog, its child may have been told to ignore SIGINT.
    command = f"trap '' INT; {sys.executable} {TEMPLATE / 'index.py'} --behind-watchdog; true"
    environment = {"PATH": os.environ["PATH"], "FUNCTION_DIR": str(tmp_path), "PORT": str(pick_free_port())}
    with subprocess.Popen(["/bin/sh", "-c", command], env=environment, stdout=subprocess.DEVNULL) as process:
        (tmp_path / "port").write_text(environment["PORT"])
        wait_until(lambda: answers(f"http://127.0.0.1:{environment['PORT']}/_/ready"))
        yield process
        process.kill()


def test_after_sigterm_it_says_that_it_is_not_ready_and_goes_on(
    parent: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{(tmp_path / 'port').read_text()}"
    (function,) = psutil.Process(parent.pid).children()
    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(httpx.get, f"{url}/?sleep=1")
        wait_until((tmp_path / "began").exists)
        function.send_signal(signal.SIGTERM)
        wait_until(lambda: httpx.get(f"{url}/_/ready").status_code == 503)
        assert begun.result().text == "finished"
    assert httpx.get(f"{url}/_/health").status_code == 200
    assert httpx.get(url).text == "finished", "the watchdog sends it what comes in the meantime"
    assert function.is_running()


def test_it_ends_with_its_parent(parent: subprocess.Popen[bytes]) -> None:
    (function,) = psutil.Process(parent.pid).children()
    parent.kill()
    function.wait(5)
