"""The values in an ICC profile: each as its type says, and no byte more.

By ICC.1:2022, chapter 9 for which types a tag may have and chapter 10 for what they look like, and by ICC.1:2001-04,
6.4 and 6.5, for the types of version 2. Tags that no colour depends on are left out: texts about the making of a
profile, its measurements, PostScript, settings of video cards.
"""

import struct
from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from .signs import reads

#: What reading a value raises when it is false.
FALSE = (ValueError, IndexError, struct.error)

_XYZ, _CURVES = frozenset({b"XYZ "}), frozenset({b"curv", b"para"})
_TO_PCS, _FROM_PCS = frozenset({b"mft1", b"mft2", b"mAB "}), frozenset({b"mft1", b"mft2", b"mBA "})
#: Tag -> types that it may have.
_TYPES = {
    **dict.fromkeys((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"bkpt", b"lumi"), _XYZ),
    **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC", b"kTRC"), _CURVES),
    **dict.fromkeys((b"A2B0", b"A2B1", b"A2B2"), _TO_PCS),
    **dict.fromkeys((b"B2A0", b"B2A1", b"B2A2"), _FROM_PCS),
    b"chad": frozenset({b"sf32"}),
    b"chrm": frozenset({b"chrm"}),
    b"cicp": frozenset({b"cicp"}),
    b"desc": frozenset({b"desc", b"mluc"}),
    b"cprt": frozenset({b"text", b"mluc"}),
}
_LONGEST_CURVE = 4096  # numbers; what the format allows where it says so, and more than any profile has
_MOST_NODES = 300_000  # of a table: 65 for each of 3 colours, 23 for each of 4
_LONGEST_TEXT, _MOST_LANGUAGES = 1000, 200
#: How often a line of a table may go over its whole range, up and down, on the average. Those of profiles go over it
#: once and less; those of pictures several times.
_MOST_TURNS = 1.4

_Numbers = NDArray[np.uint8] | NDArray[np.uint16]


def rebuilt(tag: bytes, data: bytes, inks: int) -> bytes:
    """Return the value of a tag of a profile of so many inks, written anew; nothing when no colour depends on it.

    Raise one of `FALSE` when it is no such value.
    """
    kind = data[:4]
    if tag not in _TYPES:
        return b""
    if tag in {b"desc", b"cprt"}:
        return _text(kind, data) if kind in _TYPES[tag] else b""
    if kind not in _TYPES[tag]:
        raise ValueError
    if kind in _CURVES:
        return _curve(data)[0]
    if tag[1:3] in {b"2B", b"2A"}:
        channels = (inks, 3) if tag[:1] == b"A" else (3, inks)
        if tuple(data[8:10]) != channels:
            raise ValueError
        return _pipeline(data, *channels) if kind in {b"mAB ", b"mBA "} else _tables(data, *channels)
    if kind == b"chrm":
        return _plain(data, 12 + 8 * min(data[9], 4))
    return _plain(data, {b"XYZ ": 20, b"sf32": 44, b"cicp": 12}[kind])


def _plain(data: bytes, size: int) -> bytes:
    """Return a value of so many bytes, all of which are numbers."""
    return data[:4] + bytes(4) + _cut(data, 8, size - 8)


def _cut(data: bytes, at: int, size: int) -> bytes:
    piece = data[at : at + size]
    if len(piece) != size:
        raise ValueError
    return piece


def _curve(data: bytes) -> tuple[bytes, int]:
    """Return the curve at the start of `data`, and how many bytes it had."""
    if data[:4] == b"para":
        size = 12 + 4 * (1, 3, 4, 5, 7)[struct.unpack_from(">H", data, 8)[0]]
        return data[:4] + bytes(4) + data[8:10] + bytes(2) + _cut(data, 12, size - 12), size
    count = struct.unpack_from(">I", data, 8)[0]
    if data[:4] != b"curv" or count > _LONGEST_CURVE:
        raise ValueError
    numbers = _cut(data, 12, 2 * count)
    _check(np.frombuffer(numbers, ">u2").reshape(-1, 1))
    return data[:4] + bytes(4) + data[8:12] + numbers, 12 + 2 * count


def _tables(data: bytes, across: int, out: int) -> bytes:
    """Return a lut8Type or lut16Type: a matrix, curves, a table of colours, and curves."""
    grid, wide = data[10], 1 if data[:4] == b"mft1" else 2
    before, behind = (256, 256) if wide == 1 else struct.unpack_from(">HH", data, 48)
    if not (2 <= before <= _LONGEST_CURVE and 2 <= behind <= _LONGEST_CURVE):
        raise ValueError
    _check_grid([grid] * across)
    at = 48 if wide == 1 else 52
    for shape in [(before, 1)] * across + [(*[grid] * across, out)] + [(behind, 1)] * out:
        size = wide * prod(shape)
        _check(np.frombuffer(_cut(data, at, size), f">u{wide}").reshape(shape))
        at += size
    return data[:4] + bytes(4) + data[8:11] + b"\0" + data[12:at]


def _pipeline(data: bytes, across: int, out: int) -> bytes:
    """Return a lutAToBType or lutBToAType: curves B, a matrix, curves M, a table of colours, and curves A."""
    to_pcs = data[:4] == b"mAB "
    near, far = (out, across) if to_pcs else (across, out)  # channels on the side of the connection space, and beyond
    result, offsets = b"", []
    for number, at in enumerate(struct.unpack_from(">5I", data, 12)):
        offsets.append(32 + len(result) if at else 0)
        if not at:
            continue
        if number == 1:
            result += _cut(data, at, 48)
        elif number == 3:
            result += _colors(data[at:], across, out)
        else:
            result += b"".join(_curves(data[at:], far if number == 4 else near))
    return data[:4] + bytes(4) + data[8:10] + bytes(2) + struct.pack(">5I", *offsets) + result


def _curves(data: bytes, count: int) -> Iterator[bytes]:
    at = 0
    for _ in range(count):
        curve, size = _curve(data[at:])
        yield curve + bytes(-size % 4)
        at += size + -size % 4


def _colors(data: bytes, across: int, out: int) -> bytes:
    """Return a table of colours that says itself how many nodes it has and how wide its numbers are."""
    grid, wide = list(_cut(data, 0, across)), data[16]
    _check_grid(grid)
    if wide not in {1, 2}:
        raise ValueError
    numbers = _cut(data, 20, prod(grid) * out * wide)
    _check(np.frombuffer(numbers, f">u{wide}").reshape(*grid, out))
    return bytes(grid).ljust(16, b"\0") + bytes((wide, 0, 0, 0)) + numbers + bytes(-len(numbers) % 4)


def _check_grid(grid: list[int]) -> None:
    if min(grid) < 2 or prod(grid) > _MOST_NODES:
        raise ValueError


def _check(table: _Numbers) -> None:
    """Raise ValueError for a table that is not smooth along each of its axes; the last one is that of its channels."""
    numbers = table.astype(np.int32)
    axes = tuple(range(numbers.ndim - 1))
    ranges = np.ptp(numbers, axis=axes) if numbers.size else 0
    for axis in axes:
        way = np.abs(np.diff(numbers, axis=axis)).sum(axis=axis)
        if np.any(way.reshape(-1, way.shape[-1]).mean(axis=0) > _MOST_TURNS * ranges):
            raise ValueError


def _text(kind: bytes, data: bytes) -> bytes:
    """Return a name or a copyright: one text for people, or an empty one."""
    if kind == b"mluc":
        language, words = _translated(data)
        wide = _read(words).encode("utf-16-be")
        return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, language, len(wide), 28) + wide
    begins, length = (12, struct.unpack_from(">I", data, 8)[0]) if kind == b"desc" else (8, len(data))
    plain = _read(data[begins : begins + length].decode("latin-1")).encode("ascii", "replace") + b"\0"
    if kind == b"text":
        return b"text" + bytes(4) + plain
    return b"desc" + bytes(4) + struct.pack(">I", len(plain)) + plain + bytes(78)  # and no words in other letters


def _read(words: str) -> str:
    words = words.partition("\0")[0]
    return words if reads(words, _LONGEST_TEXT) else ""


def _translated(data: bytes) -> tuple[bytes, str]:
    """Return the English text of several, or the first, and its language."""
    count, size = struct.unpack_from(">II", data, 8)
    if size != 12 or not 0 < count <= _MOST_LANGUAGES:
        return b"enUS", ""
    records = [struct.unpack_from(">4sII", data, 16 + 12 * each) for each in range(count)]
    language, length, at = next((each for each in records if each[0][:2] == b"en"), records[0])
    return language if language.isalpha() else b"enUS", data[at : at + length].decode("utf-16-be", "replace")
