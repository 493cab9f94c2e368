"""What proves the engine on many files notices a cell that crashes, and one in which anything untyped is raised."""

from collections.abc import Callable
from pathlib import Path

import pytest
from countermark import engine
from countermark.engine import cell

from bench.corpus import checking
from tests.engine import hostile
from tests.fuzz import trying

from .conftest import Ask

DEEDS = ["crash", "abort", "leave"]


def options(deed: str) -> dict[str, object]:
    return {"tasks": [{"task": "hostile", "deed": deed}]}


@pytest.mark.usefixtures("ask")
@pytest.mark.parametrize("deed", DEEDS)
def test_a_codec_that_crashes_is_found(
    make: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, deed: str
) -> None:
    source = make("PNG")
    with pytest.raises(cell.CellLost) as caught:
        trying.outcome(trying.Try(source=source, form="PNG", options=options(deed), preview=False))
    assert "CellLost" in trying.told(1, caught.value)
    monkeypatch.setattr(checking, "OPTIONS", options(deed))
    (tmp_path / "a.png").write_bytes(source)
    assert checking.check(tmp_path / "a.png", "a.png").outcome == checking.LOST
    assert hostile.BAD in hostile.run("a picture", source, engine.load_options(options(deed)))


def test_what_a_hostile_file_took_is_known(ask: Ask, make: Callable[..., bytes]) -> None:
    ask("nothing")
    figures = hostile.run("a picture", make("BMP", size=(3000, 2000))).split("|")
    took, held, seconds = map(float, figures[3:6])
    assert 36 < took < held
    assert seconds > 0
    assert "3000 x 2000" in figures[6]
