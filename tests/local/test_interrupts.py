"""Whoever stops the platform is heard, at whatever moment."""

import subprocess
import sys

import pytest

WHILE_AN_OBJECT_IS_DELETED = """
import os, sys, time
from infra.local.interrupts import interruptible

class Doomed:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))
        time.sleep(0.1)

try:
    with interruptible():
        Doomed()
        time.sleep(60)
except KeyboardInterrupt:
    os.kill(os.getpid(), int(sys.argv[1]))
    print("heard")
"""


@pytest.mark.parametrize("number", [1, 2, 15])
def test_an_interrupt_that_python_drops_is_raised_again(number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHILE_AN_OBJECT_IS_DELETED, str(number)], capture_output=True, text=True, timeout=30
    )
    assert "Exception ignored" in done.stderr
    assert done.stdout == "heard\n"
    assert done.returncode == 0
