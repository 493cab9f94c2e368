"""Each function's requirements.txt names what its handler imports, and nothing that it does not."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LATE = dict.fromkeys(("drop", "reconcile"), "countermark.engine")
"""Imported when the first folder with options of its own comes."""
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
IMPORTED = """
import importlib, json, sys
for name in ["functions.{name}.handler", *{late}]:
    importlib.import_module(name)
if "countermark.engine" in sys.modules:
    importlib.import_module("lxml.etree")  # when the first picture with XMP comes
print(json.dumps(sorted({{module.partition(".")[0] for module in sys.modules}})))
"""


def required(name: str) -> list[str]:
    """The lines of a function's requirements."""
    return (ROOT / "functions" / name / "requirements.txt").read_text().split()


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_requires_what_it_imports(name: str) -> None:
    code = IMPORTED.format(name=name, late=[LATE[name]] if name in LATE else [])
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    modules = json.loads(answer.stdout)
    imported = {canonicalize_name(each) for module in modules for each in distributions().get(module, [])}
    asked = {canonicalize_name(Requirement(line).name) for line in required(name)}
    ours = {canonicalize_name(Requirement(line).name) for line in dependencies()}
    assert asked <= imported
    # Flask brings Jinja2 everywhere, and nats-py imports aiohttp where it finds it.
    assert imported & ours - {"jinja2", "aiohttp"} <= asked


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_requires_the_versions_that_the_project_does(name: str) -> None:
    assert set(required(name)) <= set(dependencies())


@cache
def distributions() -> Mapping[str, list[str]]:
    """What each importable package belongs to."""
    return packages_distributions()


def dependencies() -> list[str]:
    """The project's own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed: list[str] = project["dependencies"]
    return listed
