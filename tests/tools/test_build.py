"""Programs from Go modules are built once, and what can't be had is told in a line."""

from pathlib import Path

import pytest

from infra.tools import ToolError, build, install
from infra.tools.table import TOOLS, Tool


def test_an_unknown_tool_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ToolError, match="minio, queue-proxy"):
        install("nothing")


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/a")
    assert build.cache() == Path("/a/countermark")
    monkeypatch.setenv("COUNTERMARK_CACHE", "/b")
    assert build.cache() == Path("/b")


def test_a_program_on_the_path_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "minio"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install("minio") == program


def test_a_module_that_can_not_be_had_leaves_nothing_and_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COUNTERMARK_CACHE", str(tmp_path))
    monkeypatch.setitem(TOOLS, "nowhere", Tool(module="localhost/nowhere", version="v1.0.0", why="nothing"))
    with pytest.raises(ToolError, match=r"get localhost/nowhere@v1\.0\.0 failed|go get failed"):
        install("nowhere")
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
