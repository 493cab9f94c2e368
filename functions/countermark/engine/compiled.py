"""What is written in C: the engine's own library, built where there is a C compiler, and those that Pillow uses."""

import ctypes
import importlib.machinery
from ctypes.util import find_library
from functools import cache
from pathlib import Path

import PIL
from PIL import _imaging  # noqa: F401 - its libraries are then loaded, and are those that are found


@cache
def library() -> ctypes.CDLL | None:
    """Return the library, whose functions release the GIL, or None when it was not built or does not load."""
    here = Path(__file__).parent
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = here / f"_native{suffix}"
        if path.exists():
            try:
                return ctypes.CDLL(str(path))
            except OSError:
                return None
    return None


def beside_pillow(name: str) -> list[str]:
    """Return where a library may be that Pillow uses, such as "jpeg": in its wheel, or on the system."""
    package = Path(PIL.__file__).parent
    bundled = [*(package.parent / "pillow.libs").glob(f"lib{name}*"), *(package / ".dylibs").glob(f"lib{name}*")]
    system = find_library(name) if not bundled else None
    return [*map(str, bundled), *([system] if system else [])]
