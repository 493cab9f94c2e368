"""A cell that ends early costs an attempt, and who calls is told so; a lack of memory is for now."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from countermark import engine
from countermark.engine import assets, cell
from countermark.engine.cell import pool
from countermark.engine.task import _TASKS
from countermark.http.problems import Interrupted, Unavailable
from countermark.services import Services

from functions.preview import handler as preview
from functions.watermark import handler as watermark
from functions.watermark import process
from tests.functions.conftest import Call, ClientOf
from tests.jobs.made import image_row, picture, rows, uploaded

SLEEP = '''
import time
from typing import Literal
from countermark import engine


@engine.register
class Sleep(engine.ImageTask):
    """Wait."""

    task: Literal["sleep"] = "sleep"

    def edit(self, image, picture):
        """Return the picture, some time."""
        time.sleep(8)
        return image
'''
PIXEL = {"tasks": [{"task": "resize", "width": 1}]}


@pytest.fixture
def _sleep(tmp_path: Path) -> Iterator[None]:
    before = assets().folder
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "sleep.py").write_text(SLEEP)
    engine.use_assets(tmp_path)
    engine.load_tasks(tmp_path)
    yield
    del _TASKS["sleep"]
    engine.use_assets(before)
    cell.close()


@pytest.fixture
def _killed(_sleep: None) -> Iterator[None]:
    """Whatever sleeps in a cell is killed, as by a system without memory."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.4):
            helper = cell.own_pool().helper
            for each in psutil.Process(helper.pid).children() if helper else ():
                each.send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    over.set()
    killer.join()


@pytest.mark.usefixtures("_killed")
def test_an_image_whose_cell_is_killed_comes_again_and_is_counted(own: Services) -> None:
    job = uploaded(own, "a.png", options={"task": "sleep"})
    for number in (1, 2):
        with pytest.raises(Interrupted):
            process.process(own, job.id, 1, 1)
        assert rows(own, "SELECT lease, failures, state FROM images") == [[None, number, "waiting"]]


@pytest.mark.usefixtures("_killed")
@pytest.mark.parametrize("handler", [watermark, preview], ids=["watermark", "preview"])
def test_who_calls_is_told_that_his_image_was_interrupted(client_of: ClientOf, handler: object) -> None:
    answer = client_of(handler).post("/", data=picture(), query_string={"task": "sleep"})
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert answer.json["code"] == "interrupted"


def test_an_image_for_which_there_is_no_memory_now_is_not_counted(
    own: Services, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    del call
    full = pool.Pool()
    full.budget.hold(full.budget.total, 0)
    monkeypatch.setitem(pool._pools, os.getpid(), full)
    hasty = Services(
        settings=own.settings.model_copy(update={"max_seconds": 0.1}),
        database=own.database,
        objects=own.objects,
        publisher=own.publisher,
    )
    job = uploaded(own, "a.png", options=PIXEL)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        process.process(hasty, job.id, 1, 1)
    assert time.monotonic() - began < 5
    assert rows(own, "SELECT lease, failures, state FROM images") == [[None, 0, "waiting"]]
    assert image_row(own, job.id).code is None
