"""An ICC profile of what the chunks gAMA and cHRM of a PNG file say, for the formats that have no such chunks."""

import struct
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
#: Of sRGB, in hundred thousandths as PNG has them: white, red, green, blue.
_SRGB = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
_GAMMA = 45_455
_SAME = 0.01  # as a share; what differs by less is meant to be the same
_ONE = 100_000
_HEAD = 128

Matrix = NDArray[np.float64]


def profile_of_chunks(colors: Mapping[bytes, bytes], *, grey: bool) -> bytes | None:
    """Return the profile; None where there are no such chunks, they mean sRGB, or other chunks count more."""
    gamma_chunk, primaries_chunk = colors.get(b"gAMA"), colors.get(b"cHRM")
    if not (gamma_chunk or primaries_chunk) or colors.keys() & {b"sRGB", b"cICP"}:
        return None
    gamma = int.from_bytes(gamma_chunk, "big") if gamma_chunk else _GAMMA
    primaries = struct.unpack(">8I", primaries_chunk) if primaries_chunk and not grey else _SRGB
    same = all(abs(one - other) <= _SAME * _ONE for one, other in zip(primaries, _SRGB, strict=True))
    if not _ONE / 100 <= gamma <= _ONE * 10 or (same and abs(gamma - _GAMMA) <= _SAME * _GAMMA):
        return None
    return _profile(gamma, primaries, grey=grey)


@lru_cache(maxsize=16)
def _profile(gamma: int, primaries: tuple[int, ...], *, grey: bool) -> bytes | None:
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * _ONE / gamma)) + bytes(2)
    white = _xyz(_D50)
    tags = {b"wtpt": white, b"kTRC": curve}
    if not grey:
        try:
            columns = _columns(np.array(primaries, dtype=np.float64).reshape(4, 2) / _ONE)
        except np.linalg.LinAlgError:
            return None
        if columns is None:
            return None
        tags = {b"wtpt": white, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
        tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)}
    name = b"As the chunks gAMA and cHRM say\0"
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)
    tags[b"cprt"] = b"text" + bytes(4) + b"None\0"
    table, values = b"", b""
    begins = _HEAD + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += struct.pack(">4sII", tag, begins + len(values), len(value))
        values += value + bytes(-len(value) % 4)
    space = b"GRAY" if grey else b"RGB "
    head = struct.pack(">I4sI4s4s4s12s4s", begins + len(values), bytes(4), 0x02100000, b"mntr", space, b"XYZ ",
                       struct.pack(">6H", 2026, 1, 1, 0, 0, 0), b"acsp")  # fmt: skip
    head = (head + bytes(28) + _xyz(_D50)[8:]).ljust(_HEAD, b"\0")
    return head + struct.pack(">I", len(tags)) + table + values


def _columns(points: Matrix) -> Matrix | None:
    """Return red, green and blue as a profile has them, seen under its white; None when they are none."""
    if (points[:, 1] <= 0).any():
        return None
    light = np.array([[x / y, 1, (1 - x - y) / y] for x, y in points]).T
    white, colors = light[:, 0], light[:, 1:]
    colors = colors * np.linalg.solve(colors, white)
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: Matrix = np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD @ colors
    return adapted if np.isfinite(adapted).all() and np.abs(adapted).max() < 4 else None


def _xyz(value: Matrix) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(each) * 65_536) for each in value))
