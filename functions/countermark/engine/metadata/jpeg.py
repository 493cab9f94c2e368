"""The segments of a JPEG file: those with metadata read, and all but those of the picture replaced."""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .exif import HEAD

APP1, APP2, APP13, APP14, COMMENT = 0xE1, 0xE2, 0xED, 0xEE, 0xFE
_JFIF = 0xE0
_FRAMES, _CODES, _DIVISORS, _RESTARTS = {0xC0, 0xC1, 0xC2}, 0xC4, 0xDB, 0xDD  # of the kinds that are written
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_SCAN = 0xDA
LONGEST = 65_533

EXIF, XMP, ICC, PHOTOSHOP = HEAD, b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"Photoshop 3.0\0"
GAIN_MAP, PICTURES = b"urn:iso:std:iso:ts:21496:-1\0", b"MPF\0"  # of ISO 21496-1, and of several pictures in one file
_HEADS = {APP1: (EXIF, XMP), APP2: (GAIN_MAP, PICTURES), APP13: (PHOTOSHOP,), COMMENT: (b"",)}
_ADOBE = 12  # bytes of an Adobe segment, of which the last one says what the colours are
_ADOBE_HEAD = b"Adobe\0\x64\0\0\0\0"


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
    """Return the JPEG file `data` with `segments` in the place of all that its first scan does not need.

    What wrote `data` puts the tables of later scans before each of them, so that the head, which may be a stranger's,
    has those of the first one alone.
    """
    head, scan, scan_at = _Head(), b"", len(data)
    for marker, begins, end in _walk(data):
        if marker == _SCAN:
            scan, scan_at = data[begins:end], begins - 4
        else:
            head.take(marker, data[begins:end])
    # EXIF wants to be first, but every reader accepts it behind JFIF.
    found = [*head.jfif, *segments, *head.needed(scan)]
    return b"".join([data[:2], *map(bytes, found), memoryview(data)[scan_at:]])


class _Head:
    """What stands before the first scan and belongs to the picture: of each thing the last one, which counts."""

    def __init__(self) -> None:
        self.jfif: list[Segment] = []
        self._frame: list[Segment] = []
        self._restarts: list[Segment] = []
        self._adobe: list[Segment] = []
        self._divisors: dict[int, bytes] = {}  # by the number of the table
        self._codes: dict[int, bytes] = {}  # by the kind and number of the table

    def take(self, marker: int, payload: bytes) -> None:
        """Note what a segment says of the picture."""
        if marker == _DIVISORS:
            self._divisors |= {each[0] & 15: each for each in _tables(payload, lambda at: 65 + 64 * (payload[at] >> 4))}
        elif marker == _CODES:
            self._codes |= {each[0]: each for each in _tables(payload, lambda at: 17 + sum(payload[at + 1 : at + 17]))}
        elif marker in _FRAMES:
            self._frame = [Segment(marker, payload)]
        elif marker == _RESTARTS:
            self._restarts = [Segment(marker, payload[:2])] if any(payload[:2]) else []
        elif marker == _JFIF and payload.startswith(b"JFIF\0"):
            self.jfif = [Segment(_JFIF, payload[:12] + b"\0\0")]  # without a picture in it
        elif marker == APP14 and payload.startswith(b"Adobe") and len(payload) >= _ADOBE:
            self._adobe = [Segment(APP14, _ADOBE_HEAD + payload[_ADOBE - 1 : _ADOBE])]

    def needed(self, scan: bytes) -> list[Segment]:
        """Return what a scan with this header needs."""
        used = {pair >> 4 for pair in scan[2:-3:2]} | {16 | pair & 15 for pair in scan[2:-3:2]}
        codes = b"".join(table for number, table in self._codes.items() if number in used)
        parts = {number for frame in self._frame for number in frame.payload[8::3]}
        divisors = b"".join(table for number, table in self._divisors.items() if number in parts)
        tables = [Segment(_DIVISORS, divisors), *self._frame, Segment(_CODES, codes)]
        return [*self._adobe, *tables, *self._restarts]


def _tables(payload: bytes, size: Callable[[int], int]) -> Iterator[bytes]:
    """Yield the tables in a segment, of which one has `size` bytes from where it begins."""
    at = 0
    while at < len(payload) and (end := at + size(at)) <= len(payload):
        yield payload[at:end]
        at = end


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
    """Yield marker, begin and end of what the segments up to the first scan hold; stop where the file is damaged."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _STANDALONE:
            return
        if marker == 0xFF:  # fill
            at += 1
            continue
        length = struct.unpack_from(">H", data, at + 2)[0]
        if length < 2 or at + 2 + length > len(data):
            return
        yield marker, at + 4, at + 2 + length
        if marker == _SCAN:
            return
        at += 2 + length
