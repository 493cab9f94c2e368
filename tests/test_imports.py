"""Imports point inward: the engine knows nothing, the library no function, a function no platform."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FUNCTIONS = [path.parent for path in (ROOT / "functions").glob("*/handler.py")]


def imported(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every module that the files of a folder import by an absolute name, and the file."""
    for path in folder.rglob("*.py"):
        yield from _imports_of(path)


def _imports_of(path: Path) -> Iterator[tuple[Path, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((path, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield path, node.module


def ours(folder: Path) -> set[tuple[str, str]]:
    """What is imported of the project, with the file that does."""
    names = ("countermark", "infra", "functions", "tests", "bench")
    return {(str(path), name) for path, name in imported(folder) if name.partition(".")[0] in names}


def test_the_engine_imports_nothing_of_the_project() -> None:
    assert ours(ROOT / "functions" / "countermark" / "engine") == set()


def test_the_library_imports_no_function_and_no_platform() -> None:
    found = ours(ROOT / "functions" / "countermark")
    assert found
    assert {name for _, name in found if name.partition(".")[0] != "countermark"} == set()


@pytest.mark.parametrize("folder", FUNCTIONS, ids=lambda folder: folder.name)
def test_a_function_imports_the_library_alone(folder: Path) -> None:
    found = ours(folder)
    assert found
    assert {name for _, name in found if name.partition(".")[0] != "countermark"} == set()


GROUND = {"project", "errors", "render", "credentials", "stack"}
BELOW = {
    "servers": GROUND,
    "tools": GROUND,
    "store": GROUND | {"servers"},
    "connector": GROUND,
    "images": GROUND | {"tools"},
    "local": GROUND | {"servers", "store", "connector", "tools"},
    "kubernetes": GROUND | {"servers", "store", "connector"},
}
"""What each room of infra may import of the others."""


@pytest.mark.parametrize("room", BELOW)
def test_no_room_of_infra_imports_one_above_it(room: str) -> None:
    found = {name.split(".")[1] for _, name in ours(ROOT / "infra" / room) if name.startswith("infra.")}
    assert found <= BELOW[room] | {room}


def test_every_room_of_infra_is_looked_at_and_the_ground_floor_stands_on_itself() -> None:
    folders = {path.parent.name for path in (ROOT / "infra").glob("*/__init__.py")}
    assert folders == BELOW.keys()
    for name in GROUND:
        found = {name for _, name in _imports_of(ROOT / "infra" / f"{name}.py") if name.startswith("infra.")}
        assert {name.split(".")[1] for name in found} <= GROUND


def test_what_functions_stand_on_imports_no_handler() -> None:
    found = {name for _, name in ours(ROOT / "infra")}
    assert found
    assert {name for name in found if name.partition(".")[0] not in {"countermark", "infra"}} == set()


def test_images_are_decoded_in_cells_alone() -> None:
    """Outside of the engine nobody calls what decodes where it is called."""
    decoding = {("engine", "process"), ("engine", "preview")}
    for path in (ROOT / "functions").rglob("*.py"):
        if (ROOT / "functions" / "countermark" / "engine") in path.parents:
            continue
        tree = ast.parse(path.read_text())
        calls = {
            (node.value.id, node.attr)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        assert not calls & decoding, path
        names = {name for _, name in _imports_of(path)}
        assert "PIL" not in {name.partition(".")[0] for name in names}, path
        assert "countermark.engine.process" not in names, path
