"""The stack file decides which processes run."""

import os
from pathlib import Path

import pytest

from infra.local.errors import PlatformError
from infra.local.folder import ROOT
from infra.local.stack import read_functions


def write(folder: Path, entry: str) -> Path:
    (folder / "f").mkdir()
    path = folder / "stack.yml"
    path.write_text(f"functions:\n  f:\n    handler: ./f\n{entry}")
    return path


def test_the_projects_own_functions_are_there_with_their_handlers() -> None:
    functions = {function.name: function for function in read_functions(ROOT / "stack.yml")}
    assert {"upload", "watermark", "archive", "expire", "status"} <= set(functions)
    assert all((function.handler / "handler.py").is_file() for function in functions.values())
    assert functions["watermark"].replicas == len(os.sched_getaffinity(0))


def test_one_copy_has_the_functions_name_and_several_are_numbered(tmp_path: Path) -> None:
    path = write(tmp_path, "    annotations: {countermark.local/replicas: '3'}\n")
    assert read_functions(path)[0].copies() == ["f-1", "f-2", "f-3"]
    path.write_text("functions:\n  f:\n    handler: ./f\n")
    assert read_functions(path)[0].copies() == ["f"]


def test_values_of_the_environment_are_texts(tmp_path: Path) -> None:
    path = write(tmp_path, "    environment: {max_inflight: 4, DEBUG: 'true'}\n")
    assert read_functions(path)[0].environment == {"max_inflight": "4", "DEBUG": "true"}


@pytest.mark.parametrize(
    "entry",
    [
        "    annotations: {countermark.local/replicas: many}\n",
        "    annotations: {countermark.local/replicas: '0'}\n",
        "    handler: ./elsewhere\n",
        "   [",
    ],
)
def test_a_wrong_stack_is_named(tmp_path: Path, entry: str) -> None:
    path = write(tmp_path, entry)
    with pytest.raises(PlatformError, match=str(path)):
        read_functions(path)


def test_a_missing_stack_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="nowhere"):
        read_functions(tmp_path / "nowhere.yml")
