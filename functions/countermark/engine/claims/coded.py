"""How large a picture is by the headers of its codec: sequence headers of AV1, parameter sets of HEVC."""

import struct

from .tally import Tally

_SEQUENCE = 1  # kind of an AV1 unit
_PARAMETERS = 33  # kind of an HEVC unit
_LONGEST = 400  # bytes of such a header in which its sizes stand


class _Bits:
    """Bits of a header, the highest first."""

    def __init__(self, data: bytes) -> None:
        self._left = 8 * len(data)
        self._value = int.from_bytes(data, "big")

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise IndexError
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def note_av1(source: bytes, at: int, end: int, tally: Tally) -> None:
    """Note the sizes of every sequence header in AV1 data."""
    while at < end:
        head = source[at]
        at += 2 if head & 4 else 1
        size, at = _long(source, at) if head & 2 else (end - at, at)
        tally.part()
        if head & 0x80 or at + size > end:
            return
        if head >> 3 & 15 == _SEQUENCE:
            tally.picture(*_size_of_sequence(source[at : at + min(size, _LONGEST)]))
        at += size


def _long(source: bytes, at: int) -> tuple[int, int]:
    """Return a number in groups of seven bits, and where it ends."""
    value = 0
    for place in range(8):
        byte = source[at + place]
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    raise IndexError


def _size_of_sequence(data: bytes) -> tuple[int, int]:
    """Return the largest size of frames that a sequence header allows."""
    bits = _Bits(data)
    bits.take(4)  # profile, still picture
    reduced = bits.take(1)
    if reduced:
        bits.take(5)
    else:
        _skip_points(bits)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(across) + 1, bits.take(down) + 1


def _skip_points(bits: _Bits) -> None:
    """Skip the times and operating points of a sequence header."""
    models, delays = 0, 0
    if bits.take(1):  # times
        bits.take(32)
        bits.take(32)
        if bits.take(1):
            bits.golomb()
        models = bits.take(1)
        if models:
            delays = bits.take(5) + 1
            bits.take(32)
            bits.take(10)
    shown = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if models and bits.take(1):
            bits.take(2 * delays + 1)
        if shown and bits.take(1):
            bits.take(4)


def note_hevc(source: bytes, at: int, end: int, tally: Tally) -> None:
    """Note the sizes of every parameter set in HEVC data, whose units stand behind their lengths."""
    while at + 5 < end:
        (size,) = struct.unpack_from(">I", source, at)
        tally.part()
        if at + 4 + size > end:
            return
        note_parameters(source[at + 4 : at + 4 + min(size, _LONGEST)], tally)
        at += 4 + size


def note_parameters(unit: bytes, tally: Tally) -> None:
    """Note the size that an HEVC unit says, if it is a parameter set."""
    if len(unit) < 2 or unit[0] >> 1 & 63 != _PARAMETERS:
        return
    bits = _Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)
    there = [(bits.take(1), bits.take(1)) for _ in range(8 if layers else 0)][:layers]
    for profile, level in there:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.take(1)
    tally.picture(bits.golomb(), bits.golomb())
