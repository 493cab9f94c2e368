"""ICC profiles: checked before they are kept, and without what belongs to no profile."""

import struct
from functools import lru_cache

from .signs import holds_picture

_HEAD, _ENTRY = 128, 12
_LARGEST = 8_000_000  # bytes; those of printing presses have 3
_MOST_TAGS = 200
_SMALL = 32_768  # bytes of a profile that is remembered
_SPACES = {b"RGB ", b"GRAY", b"CMYK"}
_CLASSES = {b"scnr", b"mntr", b"prtr", b"spac"}
#: The tags of ICC.1, of version 2 and 4, and those that Apple's and Microsoft's profiles have.
_KNOWN = frozenset(
    b"A2B0 A2B1 A2B2 A2B3 B2A0 B2A1 B2A2 B2A3 B2D0 B2D1 B2D2 B2D3 D2B0 D2B1 D2B2 D2B3 bXYZ bTRC bkpt calt chad chrm "
    b"cicp ciis clro clrt cprt crdi desc devs dmdd dmnd gTRC gXYZ gamt gbd0 gbd1 kTRC lumi meas meta metT ncl2 ncol "
    b"pre0 pre1 pre2 ps2i ps2s psd0 psd1 psd2 psd3 pseq psid psvm rTRC rXYZ resp rig0 rig2 scrd scrn targ tech ucrI "
    b"vcgt view vued wtpt aabg aagg aarg dscm mmod ndin vcgp MSCA MSTN MS10 MS00 MS01 MS02 MS03".split()
)


#: Tables of numbers. By chance they look like something, so that only what decodes counts.
_TABLES = {b"curv", b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet", b"vcgt"}


def checked(profile: bytes | None) -> bytes | None:
    """Return a profile that is one, from its head to its end; otherwise None.

    One with tags of its maker's own, or with something between its tags, is written without them.
    """
    if not profile or not _HEAD + 4 < len(profile) <= _LARGEST:
        return None
    return _small(profile) if len(profile) <= _SMALL else _checked(profile)


def _checked(profile: bytes) -> bytes | None:
    size, count = struct.unpack_from(">I", profile)[0], struct.unpack_from(">I", profile, _HEAD)[0]
    profile = profile[:size]
    sound = len(profile) == size and profile[36:40] == b"acsp" and profile[100:_HEAD] == bytes(_HEAD - 100)
    if not sound or profile[16:20] not in _SPACES or profile[12:16] not in _CLASSES or count > _MOST_TAGS:
        return None
    tags = _tags(profile, count)
    if not tags or any(_hides(data) for data in {data for _, data in tags}):
        return None
    begins = {(at, length) for _, at, length in _entries(profile, count)}
    used = _HEAD + 4 + _ENTRY * count + sum(length for _, length in begins)
    whole = len(tags) == count and used + 3 * (count + 1) >= size
    return profile if whole else _written(profile[:_HEAD], tags)


_small = lru_cache(maxsize=32)(_checked)  # nearly all photographs have one of a few


def _entries(profile: bytes, count: int) -> list[tuple[bytes, int, int]]:
    end = _HEAD + 4 + _ENTRY * count
    if end > len(profile):
        return []
    return [struct.unpack_from(">4sII", profile, at) for at in range(_HEAD + 4, end, _ENTRY)]


def _tags(profile: bytes, count: int) -> list[tuple[bytes, bytes]]:
    """Return name and value of the known tags; nothing when one lies outside the profile."""
    entries = _entries(profile, count)
    if any(at + length > len(profile) for _, at, length in entries):
        return []
    # Values may be shared, but many large ones would take long.
    if sum(length for _, _, length in entries) > 4 * _LARGEST:
        return []
    return [(name, profile[at : at + length]) for name, at, length in entries if name in _KNOWN]


def _hides(data: bytes) -> bool:
    if data[:4] not in _TABLES:
        return holds_picture(data)
    from .leaks import find_pictures  # late: it is seldom needed

    return bool(find_pictures(data))


def _written(head: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    table, values = bytearray(struct.pack(">I", len(tags))), bytearray()
    begins = len(head) + 4 + _ENTRY * len(tags)
    places: dict[bytes, int] = {}
    for name, data in tags:
        if data not in places:
            places[data] = begins + len(values)
            values += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, places[data], len(data))
    size = begins + len(values)
    # The identity is a sum over the profile: none is right, a wrong one is not.
    return struct.pack(">I", size) + head[4:84] + bytes(16) + head[100:] + bytes(table) + bytes(values)
