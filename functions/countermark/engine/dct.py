"""The compiled kernel that marks JPEG files without decoding them to pixels, and the libjpeg that it works with.

The kernel is built with the package when there is a C compiler; libjpeg is the one that Pillow brings. Where one
of them is missing, `kernel()` is None, `why_missing()` says why, and JPEG files are marked on their pixels.
"""

import ctypes
import time
from collections.abc import Callable, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import PIL
from PIL import _imaging  # noqa: F401 - its libjpeg is then loaded, and is the one that is found

from .compiled import library
from .stencil import Stencil

DONE, TOOK_TOO_LONG = 0, 3  # of the kernel's results; with any other the pixels are tried
_FUNCTIONS = (
    "jpeg_std_error",
    "jpeg_CreateDecompress",
    "jpeg_CreateCompress",
    "jpeg_read_header",
    "jpeg_read_coefficients",
    "jpeg_finish_decompress",
    "jpeg_destroy_decompress",
    "jpeg_copy_critical_parameters",
    "jpeg_simple_progression",
    "jpeg_write_coefficients",
    "jpeg_finish_compress",
    "jpeg_destroy_compress",
    "jpeg_resync_to_restart",
)


@dataclass(frozen=True, kw_only=True)
class Component:
    """The marks of one component of a file, and the sampling factors that it must have."""

    sampling: tuple[int, int]  # horizontal, vertical
    stencils: Sequence[Stencil]
    places: Sequence[tuple[int, int, int]]  # number of the stencil, x and y in blocks


class _Stencil(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int32),
        ("starts", ctypes.c_void_p),
        ("columns", ctypes.c_void_p),
        ("keep", ctypes.c_void_p),
        ("add", ctypes.c_void_p),
    )


class _Component(ctypes.Structure):
    _fields_ = (
        ("horizontal", ctypes.c_int32),
        ("vertical", ctypes.c_int32),
        ("places", ctypes.c_int32),
        ("place", ctypes.c_void_p),
        ("stencils", ctypes.POINTER(_Stencil)),
    )


class Kernel:
    """The kernel bound to a libjpeg. Safe to call from several threads; the GIL is released meanwhile."""

    def __init__(self, compiled: ctypes.CDLL, jpeg: ctypes.CDLL) -> None:
        """Bind the kernel in `compiled` to `jpeg`; raise AttributeError when a part is missing."""
        addresses = [ctypes.cast(getattr(jpeg, name), ctypes.c_void_p).value for name in _FUNCTIONS]
        self._libjpeg = (ctypes.c_void_p * len(addresses))(*addresses)
        self._in_scan, self._in_scans = compiled.mark_scan, compiled.mark_scans
        self._in_coefficients, self._release = compiled.mark_coefficients, compiled.release
        self._in_scan.argtypes = self._in_scans.argtypes = _ARGUMENTS
        self._in_coefficients.argtypes = (ctypes.c_void_p, *_ARGUMENTS)
        self._release.argtypes = (ctypes.c_void_p,)
        self._release.restype = None

    def mark(self, source: bytes, components: Sequence[Component], seconds: float) -> tuple[int, bytes]:
        """Return a result and the marked file, whose metadata is not to be relied on; empty unless it is DONE.

        A plain baseline file is marked in its scan, a progressive one in its scans; what neither takes is left to
        libjpeg.
        """
        end = time.monotonic() + seconds
        for way in (self.mark_scan, self.mark_scans, self.mark_coefficients):
            result, marked = way(source, components, end - time.monotonic())
            if result in {DONE, TOOK_TOO_LONG}:
                break
        return result, marked

    def mark_scan(self, source: bytes, components: Sequence[Component], seconds: float) -> tuple[int, bytes]:
        """Mark a baseline file, copying the bits of what is not touched."""
        return self._run(self._in_scan, source, components, seconds)

    def mark_scans(self, source: bytes, components: Sequence[Component], seconds: float) -> tuple[int, bytes]:
        """Mark a progressive file without restart markers, strip by strip, and encode it into the same scans."""
        return self._run(self._in_scans, source, components, seconds)

    def mark_coefficients(self, source: bytes, components: Sequence[Component], seconds: float) -> tuple[int, bytes]:
        """Mark any file that libjpeg reads, decoding and encoding all its coefficients."""
        return self._run(partial(self._in_coefficients, self._libjpeg), source, components, seconds)

    def _run(
        self, way: Callable[..., int], source: bytes, components: Sequence[Component], seconds: float
    ) -> tuple[int, bytes]:
        native = (_Component * len(components))()
        held = [_fill(each, component) for each, component in zip(native, components, strict=True)]
        marked, size = ctypes.c_void_p(), ctypes.c_size_t()
        result = way(source, len(source), native, len(native), seconds, marked, size)
        del held  # the kernel has read what it points to
        if result != DONE or marked.value is None:
            return result, b""
        try:
            return result, ctypes.string_at(marked.value, size.value)
        finally:
            self._release(marked)


_ARGUMENTS = (
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.POINTER(_Component),
    ctypes.c_int,
    ctypes.c_double,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_size_t),
)


def _fill(native: _Component, component: Component) -> list[object]:
    """Point `native` to the data of `component`; return what must live as long as it is used."""
    stencils = (_Stencil * len(component.stencils))()
    for each, stencil in zip(stencils, component.stencils, strict=True):
        each.rows = len(stencil.starts) - 1
        for name in ("starts", "columns", "keep", "add"):
            setattr(each, name, getattr(stencil, name).ctypes.data)
    places = np.ascontiguousarray(component.places, dtype=np.int32)
    native.horizontal, native.vertical = component.sampling
    native.places, native.place = len(component.places), places.ctypes.data
    native.stencils = ctypes.cast(stencils, ctypes.POINTER(_Stencil))
    return [stencils, places, component]


@cache
def kernel() -> Kernel | None:
    """Return the kernel, or None when this installation has none."""
    return _load()[0]


def why_missing() -> str | None:
    """Return a sentence on why there is no kernel, or None when there is one."""
    return _load()[1]


@cache
def _load() -> tuple[Kernel | None, str | None]:
    compiled = library()
    if compiled is None:
        return None, "The compiled kernel was not built; install the package again where there is a C compiler."
    for candidate in _libjpegs():
        try:
            return Kernel(compiled, ctypes.CDLL(candidate)), None
        except (OSError, AttributeError):
            continue
    return None, "No libjpeg with its own functions was found beside Pillow or on the system."


def _libjpegs() -> list[str]:
    """Return where libjpeg may be: in Pillow's wheel, then on the system."""
    package = Path(PIL.__file__).parent
    bundled = [*(package.parent / "pillow.libs").glob("libjpeg*"), *(package / ".dylibs").glob("libjpeg*")]
    system = find_library("jpeg")
    return [*map(str, bundled), *([system] if system else [])]
