"""What Pillow does not read of an AVIF file: how many bits it has, and how often its animation is played.

The movie's header, its track's header and an edit list say it: the track lasts as long as all its turns together, or
for ever. Pillow does not write that either.
"""

import struct

from .claims.boxes import boxes
from .claims.tally import Tally

_FOR_EVER = 0
_REPEATS = 1  # a flag of the edit list
_CONFIGURATION, _MORE_BITS = b"av1C", 0x40  # how a picture is coded, and a flag in it
#: Where the duration stands in the headers, behind the version and flags, by version.
_DURATIONS = {b"mvhd": (12, 20), b"tkhd": (16, 24)}


def is_deep_avif(data: bytes) -> bool:
    """Tell whether the first picture that a file describes has more than 8 bits for each colour."""
    at = data.find(_CONFIGURATION)
    return at >= 0 and bool(int.from_bytes(data[at + 6 : at + 7], "big") & _MORE_BITS)


def plays_of_avif(data: bytes) -> int:
    """Return how often the frames are played; 0 is for ever, also where nobody says."""
    found = {kind: (begin, end) for kind, begin, end in boxes(data, 0, len(data), Tally())}
    if b"elst" not in found or b"tkhd" not in found:
        return _FOR_EVER
    try:
        flags, once = _edit(data, *found[b"elst"])
        whole, size = _duration(data, b"tkhd", found[b"tkhd"][0])
    except struct.error:
        return _FOR_EVER
    if not flags & _REPEATS:
        return 1
    return _FOR_EVER if not once or whole == 2 ** (8 * size) - 1 else -(-whole // once)


def with_plays(data: bytes, plays: int) -> bytes:
    """Return an animation that Pillow wrote, which is played for ever, so that it is played so often."""
    found = list(boxes(data, 0, len(data), Tally()))
    lists = [begin for kind, begin, _ in found if kind == b"elst"]
    if plays == _FOR_EVER or not lists:
        return data
    changed = bytearray(data)
    once = 0
    for kind, begin, end in found:
        if kind == b"elst":
            flags, once = _edit(data, begin, end)
            changed[begin + 3] = flags & ~_REPEATS if plays == 1 else flags | _REPEATS
    for kind, begin, _ in found:
        if kind in _DURATIONS:
            _, size = _duration(data, kind, begin)
            at = begin + 4 + _DURATIONS[kind][size == 8]
            changed[at : at + size] = min(once * plays, 2 ** (8 * size) - 2).to_bytes(size, "big")
    return bytes(changed)


def _edit(data: bytes, begin: int, end: int) -> tuple[int, int]:
    """Return the flags of an edit list, and how long one turn is."""
    if end - begin < 16:
        return 0, 0
    long = data[begin]
    return data[begin + 3], struct.unpack_from(">Q" if long else ">I", data, begin + 8)[0]


def _duration(data: bytes, kind: bytes, begin: int) -> tuple[int, int]:
    """Return the duration in a header, and of how many bytes it is."""
    long = bool(data[begin])
    value: int = struct.unpack_from(">Q" if long else ">I", data, begin + 4 + _DURATIONS[kind][long])[0]
    return value, 8 if long else 4
