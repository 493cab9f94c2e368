"""ICC profiles: written anew from the tags that colours need, with nothing between them and nothing in them."""

import struct
from functools import lru_cache

from .icc_values import FALSE, rebuilt

_HEAD, _ENTRY = 128, 12
_LARGEST = 8_000_000  # bytes; those of printing presses have 3
_MOST_TAGS = 200
_SMALL = 32_768  # bytes of a profile that is remembered
#: Space -> number of its inks.
_SPACES = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}
_CLASSES = {b"scnr", b"mntr", b"prtr", b"spac"}
_CONNECTIONS = {b"XYZ ", b"Lab "}
#: The tags one of which sets say what colours are, by the number of inks.
_LIGHTS = frozenset({b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"})
_ENOUGH = {3: _LIGHTS, 1: frozenset({b"kTRC"}), 4: frozenset({b"A2B0"})}


def checked(profile: bytes | None) -> bytes | None:
    """Return a profile that is one, with what colours need and its name; otherwise None.

    One that has nothing else comes back as it was.
    """
    if not profile or not _HEAD + 4 < len(profile) <= _LARGEST:
        return None
    return _small(profile) if len(profile) <= _SMALL else _checked(profile)


def _checked(profile: bytes) -> bytes | None:
    size, count = struct.unpack_from(">I", profile)[0], struct.unpack_from(">I", profile, _HEAD)[0]
    inks = _SPACES.get(profile[16:20])
    sound = size <= len(profile) and profile[36:40] == b"acsp" and profile[100:_HEAD] == bytes(_HEAD - 100)
    known = profile[12:16] in _CLASSES and profile[20:24] in _CONNECTIONS
    if inks is None or not sound or not known or count > _MOST_TAGS:
        return None
    try:
        places, values = _read(profile[:size], count, inks)
    except FALSE:
        return None
    if not (places.keys() >= _ENOUGH[inks] or b"A2B0" in places):
        return None
    return _written(profile[:size], places, values)


_small = lru_cache(maxsize=32)(_checked)  # nearly all photographs have one of a few

_Place = tuple[int, int]  # begin and length


def _read(profile: bytes, count: int, inks: int) -> tuple[dict[bytes, _Place], dict[_Place, bytes]]:
    """Return where the tags that stay were, and what is written for each such place, in their order."""
    places: dict[bytes, _Place] = {}
    values: dict[_Place, bytes] = {}
    for entry in range(_HEAD + 4, _HEAD + 4 + count * _ENTRY, _ENTRY):
        name, at, length = struct.unpack_from(">4sII", profile, entry)
        if at + length > len(profile):
            raise ValueError
        if name not in places and (value := rebuilt(name, profile[at : at + length], inks)):
            places[name] = (at, length)
            values[at, length] = value
    return places, dict(sorted(values.items()))


def _written(profile: bytes, places: dict[bytes, _Place], values: dict[_Place, bytes]) -> bytes:
    begins: dict[_Place, int] = {}
    at, parts = _HEAD + 4 + _ENTRY * len(places), []
    for place, value in values.items():
        begins[place] = at
        parts += [value, bytes(-len(value) % 4)]
        at += len(value) + -len(value) % 4
    table = [struct.pack(">4sII", name, begins[place], len(values[place])) for name, place in places.items()]
    result = b"".join((struct.pack(">I", at), profile[4:84], bytes(44), struct.pack(">I", len(places)), *table, *parts))
    # The identity is a sum over the profile: none is right, a wrong one is not.
    return profile if result == profile[:84] + bytes(16) + profile[100:] else result
