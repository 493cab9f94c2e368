"""Cells that know a hostile task."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from countermark import engine
from countermark.engine import assets, cell
from countermark.engine.cell import keeper
from countermark.engine.task import _TASKS

Ask = Callable[..., engine.Edited]


@pytest.fixture(scope="module")
def _hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = assets().folder
    folder = tmp_path_factory.mktemp("assets")
    (folder / "tasks").mkdir()
    shutil.copy(Path(__file__).parent / "hostile.py", folder / "tasks" / "hostile.py")
    engine.use_assets(folder)
    engine.load_tasks(folder)
    yield
    _TASKS.pop("hostile")
    engine.use_assets(before)
    cell.close()


@pytest.fixture
def ask(_hostile: None, make: Callable[..., bytes]) -> Ask:
    """Has a deed done to a small picture in a cell."""

    def ask(deed: str, words: str = "", *, seconds: float = 20, scope: str | None = "a") -> engine.Edited:
        options = engine.load_options({"task": "hostile", "deed": deed, "words": words})
        return cell.process(make("PNG"), options, scope=scope, limits=engine.Limits(seconds=seconds))

    return ask


def helper() -> keeper.Helper:
    """The helper that makes the cells of this process."""
    own = cell.own_pool().helper
    assert own is not None
    return own


def cells() -> list[psutil.Process]:
    """The cells of this process."""
    return psutil.Process(helper().pid).children() if cell.own_pool().helper else []
