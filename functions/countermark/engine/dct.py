"""The compiled kernel that marks JPEG files without decoding them to pixels, and the libjpeg that it works with.

The kernel is built with the package when there is a C compiler; libjpeg is the one that Pillow brings. Where one
of them is missing, `kernel()` is None, `why_missing()` says why, and JPEG files are marked on their pixels.
"""

import ctypes
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import beside_pillow, library
from .stencil import Stencil

DONE, TOOK_TOO_LONG, NO_MEMORY = 0, 3, 4  # of the kernel's results; with any other the pixels are tried
_LOOKED_AT = (96, 32, 32)  # blocks of a stencil, by component, in which it is looked for what shows of the mark
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


Plane = NDArray[np.uint8]
Sampling = Sequence[tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Component:
    """The marks of one component of a file."""

    stencils: Sequence[Stencil]
    places: Sequence[tuple[int, int, int]]  # number of the stencil, x and y in blocks


Decide = Callable[[Plane], Sequence[Component]]
"""Says how a picture is marked, told the means of the blocks of its first component, 0 to 255."""


class Shown(NamedTuple):
    """How many of the looked at samples a stencil covers, and how many of those show it."""

    covered: int
    shown: int
    share: float  # of the samples that were looked at


class Outcome(NamedTuple):
    """What became of a file."""

    result: int
    data: bytes  # the marked file, whose metadata is not to be relied on; empty unless the result is DONE
    shown: list[list[Shown]]  # of each component's stencils


class _Ground(ctypes.Structure):
    _fields_ = (("across", ctypes.c_int32), ("down", ctypes.c_int32), ("means", ctypes.c_void_p))

    def plane(self) -> Plane:
        """Return a copy of the means."""
        data = ctypes.string_at(self.means, self.down * self.across)
        return np.frombuffer(data, dtype=np.uint8).reshape(self.down, self.across)


class _Stencil(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int32),
        ("starts", ctypes.c_void_p),
        ("columns", ctypes.c_void_p),
        ("keep", ctypes.c_void_p),
        ("add", ctypes.c_void_p),
        ("levels", ctypes.c_float),
        ("most_kept", ctypes.c_int32),
        ("every", ctypes.c_int32),
        ("next", ctypes.c_int32),
        ("covered", ctypes.c_int64),
        ("shown", ctypes.c_int64),
    )


class _Component(ctypes.Structure):
    _fields_ = (
        ("horizontal", ctypes.c_int32),
        ("vertical", ctypes.c_int32),
        ("places", ctypes.c_int32),
        ("place", ctypes.c_void_p),
        ("stencils", ctypes.POINTER(_Stencil)),
    )


_Decider = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Ground))


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

    def mark(self, source: bytes, sampling: Sampling, decide: Decide, seconds: float) -> Outcome:
        """Mark a file, which must have these sampling factors (horizontal, vertical), as `decide` says.

        What `decide` raises is raised. A plain baseline file is marked in its scan, a progressive one in its scans;
        what neither takes is left to libjpeg.
        """
        end = time.thread_time() + seconds
        for way in (self.mark_scan, self.mark_scans, self.mark_coefficients):
            outcome = way(source, sampling, decide, end - time.thread_time())
            if outcome.result in {DONE, TOOK_TOO_LONG}:
                break
        return outcome

    def mark_scan(self, source: bytes, sampling: Sampling, decide: Decide, seconds: float) -> Outcome:
        """Mark a baseline file, copying the bits of what is not touched."""
        return self._run(self._in_scan, source, sampling, decide, seconds)

    def mark_scans(self, source: bytes, sampling: Sampling, decide: Decide, seconds: float) -> Outcome:
        """Mark a progressive file without restart markers, strip by strip, and encode it into the same scans."""
        return self._run(self._in_scans, source, sampling, decide, seconds)

    def mark_coefficients(self, source: bytes, sampling: Sampling, decide: Decide, seconds: float) -> Outcome:
        """Mark any file that libjpeg reads, decoding and encoding all its coefficients."""
        return self._run(partial(self._in_coefficients, self._libjpeg), source, sampling, decide, seconds)

    def _run(
        self, way: Callable[..., int], source: bytes, sampling: Sampling, decide: Decide, seconds: float
    ) -> Outcome:
        native = (_Component * len(sampling))()
        for each, factors in zip(native, sampling, strict=True):
            each.horizontal, each.vertical = factors
        decision = _Decision(native, decide)
        marked, size = ctypes.c_void_p(), ctypes.c_size_t()
        result = way(source, len(source), native, len(native), _Decider(decision), seconds, marked, size)
        if decision.error:
            raise decision.error
        if result != DONE or marked.value is None:
            return Outcome(result, b"", [])
        try:
            return Outcome(result, ctypes.string_at(marked.value, size.value), decision.shown())
        finally:
            self._release(marked)


class _Decision:
    """The call from the kernel to Python and what it needs until the file is marked."""

    def __init__(self, native: "ctypes.Array[_Component]", decide: Decide) -> None:
        self.error: BaseException | None = None
        self._native = native
        self._decide = decide
        self._held: list[tuple[ctypes.Array[_Stencil], NDArray[np.int32], Component]] = []

    def __call__(self, ground: "ctypes._Pointer[_Ground]") -> int:
        """Decide and tell the kernel; no exception may pass through it."""
        try:
            components = self._decide(ground.contents.plane())
            both = zip(self._native, components, _LOOKED_AT, strict=False)
            self._held = [_fill(*each) for each in both]
        except BaseException as error:  # raised again behind the kernel
            self.error = error
        return self.error is None

    def shown(self) -> list[list[Shown]]:
        """Return what the kernel has counted."""
        return [[Shown(each.covered, each.shown, 1 / each.every) for each in stencils] for stencils, _, _ in self._held]


_ARGUMENTS = (
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.POINTER(_Component),
    ctypes.c_int,
    _Decider,
    ctypes.c_double,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_size_t),
)


def _fill(
    native: _Component, component: Component, looked_at: int
) -> "tuple[ctypes.Array[_Stencil], NDArray[np.int32], Component]":
    """Point `native` to the data of `component`; return what must live as long as it is used."""
    stencils = (_Stencil * len(component.stencils))()
    copies = Counter(stencil for stencil, _, _ in component.places)
    for number, (each, stencil) in enumerate(zip(stencils, component.stencils, strict=True)):
        each.rows = len(stencil.starts) - 1
        for name in ("starts", "columns", "keep", "add"):
            setattr(each, name, getattr(stencil, name).ctypes.data)
        each.levels, each.most_kept = stencil.levels, stencil.most_kept
        each.every = each.next = max(copies[number] * len(stencil.columns) // looked_at, 1)
    places = np.ascontiguousarray(component.places, dtype=np.int32)
    native.places, native.place = len(component.places), places.ctypes.data
    native.stencils = ctypes.cast(stencils, ctypes.POINTER(_Stencil))
    return stencils, places, component


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
    for candidate in beside_pillow("jpeg"):
        try:
            return Kernel(compiled, ctypes.CDLL(candidate)), None
        except (OSError, AttributeError):
            continue
    return None, "No libjpeg with its own functions was found beside Pillow or on the system."
