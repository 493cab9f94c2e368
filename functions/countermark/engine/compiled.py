"""What of the engine is written in C: one library, built with the package when there is a C compiler."""

import ctypes
import importlib.machinery
from functools import cache
from pathlib import Path


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
