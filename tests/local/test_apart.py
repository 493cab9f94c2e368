"""Work in a process of its own leaves nothing behind but why it failed."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.errors import InvalidStack, PlatformError
from infra.local.apart import apart

UNUSED = "this"
"""A module that nothing else imports."""


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    """What a shell has started in the background ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_it_is_done_and_what_it_imports_is_gone(tmp_path: Path) -> None:
    def work() -> None:
        __import__(UNUSED)
        (tmp_path / "done").write_text(str(os.getpid()))

    apart(work)
    assert int((tmp_path / "done").read_text()) != os.getpid()
    assert UNUSED not in sys.modules


def test_why_it_failed_is_told() -> None:
    def work() -> None:
        raise InvalidStack("it is wrong")

    with pytest.raises(PlatformError, match=r"^it is wrong$"):
        apart(work)


def test_its_end_without_a_word_is_an_error() -> None:
    with pytest.raises(PlatformError, match="without a word"):
        apart(lambda: os._exit(0))


def test_who_interrupts_the_wait_ends_it(hears_interrupts: None) -> None:  # noqa: ARG001
    before = psutil.Process().children()

    def interrupt() -> None:
        while psutil.Process().children() == before:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        apart(lambda: time.sleep(60))
    assert psutil.Process().children() == before
