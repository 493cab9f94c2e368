"""The segments of a JPEG file: those with metadata read, and all but those of the picture replaced."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from .exif import HEAD

APP1, APP2, APP13, APP14, COMMENT = 0xE1, 0xE2, 0xED, 0xEE, 0xFE
_JFIF = 0xE0
#: What belongs to the picture: frames, tables, restarts. All else is metadata, or unknown.
_PICTURE = {*range(0xC0, 0xC8), *range(0xC9, 0xD0), 0xDB, 0xDC, 0xDD}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_SCAN = 0xDA
LONGEST = 65_533

EXIF, XMP, ICC, PHOTOSHOP = HEAD, b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"Photoshop 3.0\0"
GAIN_MAP, PICTURES = b"urn:iso:std:iso:ts:21496:-1\0", b"MPF\0"  # of ISO 21496-1, and of several pictures in one file
_HEADS = {APP1: (EXIF, XMP), APP2: (GAIN_MAP, PICTURES), APP13: (PHOTOSHOP,), COMMENT: (b"",)}
_ADOBE = 12  # bytes of an Adobe segment


class Segment(NamedTuple):
    """One marker segment."""

    marker: int
    payload: bytes

    def __bytes__(self) -> bytes:
        """Return it as it stands in a file."""
        return struct.pack(">BBH", 0xFF, self.marker, len(self.payload) + 2) + self.payload


def read_segments(source: bytes) -> dict[bytes, list[bytes]]:
    """Return what stands before the first scan behind each of the heads that are known, and comments behind none."""
    found: dict[bytes, list[bytes]] = {head: [] for heads in _HEADS.values() for head in heads}
    for marker, begins, end in _walk(source):
        for head in _HEADS.get(marker, ()):
            if source.startswith(head, begins):
                found[head].append(source[begins + len(head) : end])
    return found


def put_segments(data: bytes, segments: list[Segment]) -> bytes:
    """Return the JPEG file `data` with `segments` in the place of all that are no part of the picture."""
    head, tables, scan_at = [], [], 2
    for marker, begins, end in _walk(data):
        scan_at = end
        if marker in _PICTURE:
            tables.append(data[begins - 4 : end])
        elif marker == _JFIF and data.startswith(b"JFIF\0", begins):
            head.append(bytes(Segment(_JFIF, data[begins : begins + 12] + b"\0\0")))  # without a picture in it
        elif marker == APP14 and data.startswith(b"Adobe", begins) and end - begins >= _ADOBE:
            tables.append(bytes(Segment(APP14, data[begins : begins + _ADOBE])))
    # EXIF wants to be first, but every reader accepts it behind JFIF.
    return b"".join([data[:2], *head[:1], *map(bytes, segments), *tables, memoryview(data)[scan_at:]])


def segments_of(exif: bytes, xmp: bytes, photoshop: bytes, profile: bytes | None, comment: str) -> list[Segment]:
    """Return metadata as segments; what does not fit into one is left out."""
    found = []
    if exif:
        found.append(Segment(APP1, EXIF + exif))
    if xmp:
        found.append(Segment(APP1, XMP + xmp))
    if photoshop:
        found.append(Segment(APP13, PHOTOSHOP + photoshop))
    if profile:
        room = LONGEST - len(ICC) - 2
        parts = [profile[at : at + room] for at in range(0, len(profile), room)]
        if len(parts) < 256:
            found += [Segment(APP2, ICC + bytes((index, len(parts))) + part) for index, part in enumerate(parts, 1)]
    if comment:
        found.append(Segment(COMMENT, comment.encode()))
    return [segment for segment in found if len(segment.payload) <= LONGEST]


def _walk(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, begin and end of what the segments before the first scan hold; stop where the file is damaged."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _SCAN or marker in _STANDALONE:
            return
        if marker == 0xFF:  # fill
            at += 1
            continue
        length = struct.unpack_from(">H", data, at + 2)[0]
        if length < 2 or at + 2 + length > len(data):
            return
        yield marker, at + 4, at + 2 + length
        at += 2 + length
