"""The segments of a JPEG file: those with metadata read, and all but those of the picture replaced."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .exif import HEAD

APP1, APP2, APP13, APP14, COMMENT = 0xE1, 0xE2, 0xED, 0xEE, 0xFE
_JFIF = 0xE0
#: What belongs to the picture: frames, tables, restarts. All else is metadata, or unknown.
_PICTURE = {*range(0xC0, 0xC8), *range(0xC9, 0xD0), 0xDB, 0xDC, 0xDD}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_SCAN = 0xDA
LONGEST = 65_533

EXIF, XMP, ICC, PHOTOSHOP = HEAD, b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"Photoshop 3.0\0"
_ADOBE = 12  # bytes of an Adobe segment


@dataclass(frozen=True)
class Segment:
    """One marker segment."""

    marker: int
    payload: bytes

    def __bytes__(self) -> bytes:
        """Return it as it stands in a file."""
        return struct.pack(">BBH", 0xFF, self.marker, len(self.payload) + 2) + self.payload


def read_segments(source: bytes, marker: int, head: bytes = b"") -> list[bytes]:
    """Return what stands behind `head` in the segments before the first scan that begin with it."""
    return [
        segment.payload[len(head) :]
        for segment, _ in _walk(source)
        if segment.marker == marker and segment.payload.startswith(head)
    ]


def put_segments(data: bytes, segments: list[Segment]) -> bytes:
    """Return the JPEG file `data` with `segments` in the place of all that are no part of the picture."""
    head, tables, scan_at = [], [], 2
    for segment, end in _walk(data):
        scan_at = end
        payload = segment.payload
        if segment.marker == _JFIF and payload.startswith(b"JFIF\0"):
            head.append(Segment(_JFIF, payload[:12] + b"\0\0"))  # without the picture that it may hold
        elif segment.marker == APP14 and payload.startswith(b"Adobe") and len(payload) >= _ADOBE:
            tables.append(Segment(APP14, payload[:_ADOBE]))
        elif segment.marker in _PICTURE:
            tables.append(segment)
    # EXIF wants to be first, but every reader accepts it behind JFIF.
    return b"".join([data[:2], *map(bytes, (*head[:1], *segments, *tables)), memoryview(data)[scan_at:]])


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


def _walk(data: bytes) -> Iterator[tuple[Segment, int]]:
    """Yield the segments before the first scan, each with where it ends; stop where the file is damaged."""
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
        yield Segment(marker, data[at + 4 : at + 2 + length]), at + 2 + length
        at += 2 + length
