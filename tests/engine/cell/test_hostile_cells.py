"""Whatever a decoder does that a file has taken over: a typed error of one image, and the next one is fine."""

import json
import os
import re
import signal
import threading
import time

import psutil
import pytest
from countermark import engine
from countermark.engine import cell
from countermark.engine.cell import CellLost

from .conftest import Ask, cells, helper

FORBIDDEN = {
    "open": "",
    "write": "",
    "list": "",
    "connect": "",
    "socket": "",
    "fork": "",
    "clone": "",
    "run": "",
    "execute": "",
    "kill_parent": str(os.getpid()),
    "import": "",
}
"""What a task is refused, and told why."""

LIES = [
    {},
    {"admit": -1},
    {"admit": True},
    {"admit": 1 << 60},
    {"admit": "1"},
    {"later": True},
    {"done": []},
    {"done": {"format": "PNG", "width": 1, "height": 1, "frames": 1}},
    {"done": {"format": "../PNG"}},
    {"done": {"format": "PNG", "width": 1, "height": 1, "frames": 1, "notes": ["no such note"]}, "size": 1},
    {"failed": "no_such_code", "says": "x", "trace": ""},
    {"failed": "too_many_pixels"},
    {"fault": "x" * 10_000},
    {"size": -1, "done": {}},
    {"size": 1 << 62, "done": {}},
    {"size": "1", "done": {}},
]
"""What has no meaning."""


def test_a_task_has_what_it_has_prepared(ask: Ask) -> None:
    assert ask("nothing").format == "PNG"


def test_a_codec_may_have_threads(ask: Ask) -> None:
    ask("thread")


@pytest.mark.parametrize("deed", FORBIDDEN)
def test_a_cell_has_no_files_no_network_and_no_other_process(ask: Ask, deed: str) -> None:
    with pytest.raises(engine.TaskFailed, match=r"loaded in its method `prepare`"):
        ask(deed, FORBIDDEN[deed])
    ask("nothing")


def test_a_cell_cannot_change_its_limits(ask: Ask) -> None:
    with pytest.raises(engine.TaskFailed):
        ask("free_itself")


def test_what_needs_too_much_memory_is_too_large_here(ask: Ask) -> None:
    with pytest.raises(engine.TooLargeHere):
        ask("allocate")
    ask("nothing")


def test_what_needs_too_much_processor_time_took_too_long(ask: Ask) -> None:
    began = time.monotonic()
    with pytest.raises((engine.TookTooLong, CellLost)) as caught:  # the latter where others have the processor
        ask("spin", seconds=1)
    assert time.monotonic() - began < 4
    assert caught.type is engine.TookTooLong or os.getloadavg()[0] > 1.5
    ask("nothing")


def test_what_only_waits_is_no_fault_of_the_image(ask: Ask) -> None:
    with pytest.raises(CellLost, match="was not ready"):
        ask("sleep", seconds=0.5)
    ask("nothing")


@pytest.mark.parametrize("deed", ["leave", "abort", "crash", "hang_up"])
def test_a_cell_that_ends_is_lost(ask: Ask, deed: str) -> None:
    with pytest.raises(CellLost):
        ask(deed)
    ask("nothing")


@pytest.mark.parametrize("lie", LIES, ids=json.dumps)
def test_what_a_cell_says_without_meaning_ends_it(ask: Ask, lie: dict[str, object]) -> None:
    before = {each.pid for each in cells()}
    with pytest.raises(CellLost):
        ask("lie", json.dumps(lie))
    ask("nothing")
    assert len(cells()) <= len(before) + 1


def test_a_cell_writes_nothing_into_logs_but_a_line(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    forged = "a\n2026-01-01 root: all is well\x1b[2J\u202e"
    with pytest.raises(engine.DamagedImage) as caught:
        ask("lie", json.dumps({"failed": "damaged_image", "says": forged, "trace": ""}), scope=None)
    assert str(caught.value).isprintable()
    with pytest.raises(CellLost):
        ask("lie", json.dumps({"fault": forged}))
    assert [each.getMessage().isprintable() for each in caplog.records] == [True]


def test_a_cell_sends_no_more_than_a_result_may_have(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CellLost):
        ask("lie", json.dumps({"size": 100_000_000, "done": {}}))
    assert "a file of 100000000 bytes" in caplog.text


@pytest.mark.parametrize("kind", ["SystemExit", "GeneratorExit", "BaseExceptionGroup", "Speechless", "StopIteration"])
def test_whatever_a_task_raises_is_its_images_error(ask: Ask, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """And the log says where."""
    with pytest.raises(engine.TaskFailed, match=r"The task hostile failed: \S"):
        ask("raise", kind)
    assert re.search(r'hostile.py", line \d+, in _raise', caplog.text)


@pytest.mark.parametrize("words", ["", "no json", "[]", "null", '{"size": 0', "+", "*60000", "9" * 60_000, "é"])
def test_garbage_ends_a_cell(ask: Ask, words: str) -> None:
    with pytest.raises(CellLost):
        ask("say", words, seconds=1 if not words else 20)
    ask("nothing")


def test_a_cell_that_is_killed_is_lost_and_not_the_image(ask: Ask) -> None:
    def kill() -> None:
        time.sleep(0.3)
        for each in cells():
            each.send_signal(signal.SIGKILL)

    ask("nothing")
    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(CellLost):
        ask("sleep")
    killer.join()
    ask("nothing")


def test_a_cell_that_is_killed_while_it_waits_costs_no_image(ask: Ask) -> None:
    ask("nothing")
    for each in cells():
        each.send_signal(signal.SIGKILL)
    time.sleep(0.1)
    ask("nothing")


def test_a_helper_that_is_killed_costs_no_image_that_comes_later(ask: Ask) -> None:
    ask("nothing")
    os.kill(helper().pid, signal.SIGKILL)
    time.sleep(0.1)
    ask("nothing")


def test_no_cell_is_left_behind(ask: Ask) -> None:
    ask("nothing")
    started = [psutil.Process(helper().pid), *cells()]
    assert len(started) > 1
    cell.close()
    assert psutil.wait_procs(started, timeout=30)[1] == []
