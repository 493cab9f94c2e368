"""What an administrator adds: marks, fonts, presets and tasks, in one folder.

    <folder>/marks/<name>.png      images that a mark can be made of, named by `image`
    <folder>/fonts/<name>.ttf      fonts, named by `font`
    <folder>/presets.toml          named options, one table each, named by `preset`
    <folder>/tasks/<name>.py       tasks: modules that register them

The folder is that of the environment variable COUNTERMARK_ASSETS unless `use_assets` names another.
"""

import importlib.util
import os
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

_IMAGES = {".png", ".webp", ".jpg", ".jpeg"}
_FONTS = {".ttf", ".otf", ".ttc"}
_SHIPPED = Path(__file__).parent / "fonts"


class Assets:
    """The contents of a folder of assets, read once; what is not there is empty."""

    def __init__(self, folder: Path | None) -> None:
        """Take the folder, or None for what ships alone."""
        self.folder = folder

    @cached_property
    def marks(self) -> Mapping[str, Path]:
        """Name -> image file."""
        return _named(self.folder and self.folder / "marks", _IMAGES)

    @cached_property
    def fonts(self) -> Mapping[str, Path]:
        """Name -> font file; the shipped ones come first."""
        return _named(_SHIPPED, _FONTS) | _named(self.folder and self.folder / "fonts", _FONTS)

    @cached_property
    def presets(self) -> Mapping[str, Mapping[str, Any]]:
        """Name -> options, not yet looked at; raises ValueError when the file is no TOML."""
        path = self.folder and self.folder / "presets.toml"
        if path is None or not path.exists():
            return {}
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path} cannot be read: {error}.") from error


def load_tasks(folder: Path | None) -> None:
    """Import the modules in `tasks/` of a folder of assets, which register tasks.

    Raises ImportError when there is no such folder or one can't be imported; it names what.
    """
    if folder and not folder.is_dir():
        raise ImportError(f"There is no folder {folder}.")
    for path in sorted(folder.glob("tasks/*.py")) if folder else ():
        spec = importlib.util.spec_from_file_location(f"countermark_task_{path.stem}", path)
        assert spec is not None  # noqa: S101 - the name ends with .py
        assert spec.loader is not None  # noqa: S101 - the same
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except Exception as error:
            raise ImportError(f"{path} is no task: {error}") from error


_assets: list[Assets] = []


def use_assets(folder: Path | None) -> None:
    """Take marks, fonts and presets from `folder` from now on."""
    _assets[:] = [Assets(folder)]


def assets() -> Assets:
    """Return the assets in use."""
    if not _assets:
        folder = os.environ.get("COUNTERMARK_ASSETS")
        use_assets(Path(folder) if folder else None)
    return _assets[0]


def _named(folder: Path | None, endings: set[str]) -> dict[str, Path]:
    if folder is None or not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in endings}
