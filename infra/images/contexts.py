"""Build contexts: folders that hold everything that an image is built from.

A function's is laid out as ``faas-cli build --shrinkwrap`` does it: the language template, over it the handler in
function/, and below that what ``configuration.copy`` names, each at its own path.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from infra.errors import BuildError
from infra.stack import Function, Stack

SKIPPED = {"build", "template"}
"""Entries of a handler's folder that faas-cli leaves out."""
PRODUCED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.so", "*.egg-info")
"""What a checkout has beside its source."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an image that is no function is built."""

    dockerfile: str
    paths: tuple[str, ...]
    """What its Dockerfile copies."""


RECIPES = {
    "connector": Recipe(
        dockerfile="infra/connector/Dockerfile",
        paths=("pyproject.toml", "README.md", "stack.yml", "functions/countermark", "infra"),
    ),
    "gateway": Recipe(dockerfile="infra/servers/gateway/Dockerfile", paths=("web",)),
    "minio": Recipe(dockerfile="infra/servers/minio/Dockerfile", paths=()),
}


def lay_out_function(root: Path, stack: Stack, name: str, target: Path) -> Path:
    """Lay out a function's context in a folder of its name below `target`, afresh.

    Args:
        root: the folder with the stack file.

    Raises:
        BuildError: a folder that the stack file names is not there.
    """
    function = stack.functions[name]
    context = _empty(target / name)
    _copy(_folder(root, f"template/{function.lang}"), context)
    _copy_handler(_folder(root, function.handler), context / "function")
    for path in stack.configuration.copy_:
        _copy(_folder(root, path), context / "function" / path)
    return context


def lay_out_recipe(root: Path, name: str, target: Path) -> Path:
    """Lay out the context of an image that is no function in a folder of its name below `target`, afresh."""
    recipe = RECIPES[name]
    context = _empty(target / name)
    for path in recipe.paths:
        _copy(root / path, context / path)
    _copy(root / recipe.dockerfile, context / "Dockerfile")
    return context


def build_arguments(root: Path, function: Function) -> dict[str, str]:
    """The arguments of a function's build, with the Debian packages that its ``build_options`` mean."""
    packages = list(_packages(root / "template" / function.lang / "template.yml", function.build_options))
    given = function.build_args
    if packages:
        given = given | {"ADDITIONAL_PACKAGE": " ".join([*given.get("ADDITIONAL_PACKAGE", "").split(), *packages])}
    return given


def _packages(template: Path, options: Iterable[str]) -> Iterable[str]:
    known = {
        option["name"]: option["packages"]
        for option in yaml.safe_load(template.read_text(encoding="utf-8")).get("build_options") or []
    }
    for option in options:
        if option not in known:
            raise BuildError(f"{template} has no build option {option!r}; it has {', '.join(known) or 'none'}.")
        yield from known[option]


def _copy_handler(folder: Path, target: Path) -> None:
    for entry in folder.iterdir():
        if entry.name not in SKIPPED:
            _copy(entry, target / entry.name)


def _folder(root: Path, path: str | Path) -> Path:
    folder = root / path
    if not folder.is_dir():
        raise BuildError(f"There is no folder {path} in {root}.")
    return folder


def _empty(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _copy(source: Path, target: Path) -> None:
    if PRODUCED(str(source.parent), [source.name]):
        return
    if source.is_dir():
        shutil.copytree(source, target, ignore=PRODUCED, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
