"""Tasks that a function registers in modules of its own, which the helper has to import as well."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from ..task import registry

_ENGINE = __package__.rpartition(".")[0]

Modules = tuple[tuple[str, str], ...]  # name and file of each


def own_modules() -> Modules:
    """Return the modules outside the engine and the assets that have registered tasks."""
    names = sorted({task.__module__ for task in registry.values() if not task.__module__.startswith(f"{_ENGINE}.")})
    files = ((name, getattr(sys.modules.get(name), "__file__", None)) for name in names)
    return tuple((name, file) for name, file in files if file)


def import_modules(modules: Modules) -> None:
    """Import modules by their names and files; what lies beside one can be imported by it.

    Raises ImportError, which names the file.
    """
    for name, file in modules:
        if name in sys.modules:
            continue
        _make_packages(name, Path(file))
        spec = spec_from_file_location(name, file)
        assert spec is not None  # noqa: S101 - it is the file of a module
        assert spec.loader is not None  # noqa: S101 - the same
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise ImportError(f"{file} is no task: {error}") from error


def _make_packages(name: str, file: Path) -> None:
    """Make the packages that a module is in, without what their __init__.py may do."""
    parts = name.split(".")[:-1]
    for depth in range(len(parts), 0, -1):
        package = ".".join(parts[:depth])
        file = file.parent
        if package not in sys.modules:
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = [str(file)]
