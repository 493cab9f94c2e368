"""JPEG: a frame, and scans that each go over the whole of it."""

import re
import struct
from collections.abc import Iterator

from ..errors import DamagedImage
from .tally import Tally
from .tiff import read_directory

#: More scans than any encoder makes of a picture, and more scans times pixels than a decoder does in seconds.
MOST_SCANS = 200
MOST_WORK = 3_000_000_000
#: Segments, and bytes between them, that Pillow goes over one by one in Python; a segment counts as so many bytes.
_MOST_STEPS, _SEGMENT = 1_000_000, 50
_LARGE_EXIF = 70_000  # bytes; no segment holds more, but Pillow puts several together

_EXIF = b"Exif\0\0"
#: Markers of what a frame is like.
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1}, 0xC2
_SCAN, _END, _FILL, _RESTARTS = 0xDA, 0xD9, 0xFF, 0xDD
_ALONE = {0x00, 0x01, *range(0xD0, 0xD9), _END, _FILL}
#: A marker behind coded data, in which only others come.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def read(source: bytes, tally: Tally) -> None:
    """Read the segments of a JPEG file up to its first scan."""
    exif, restarts, kind, parts, held = [], False, 0, 0, 0.0
    for marker, begins, end in segments(source, tally):
        if marker == _SCAN:
            at_once = kind in _SEQUENTIAL and source[begins] == parts
            tally.decoding = 0 if at_once else held
            tally.marking = held if restarts or not (at_once or kind == _PROGRESSIVE) else 0
            break
        if marker == _RESTARTS:
            restarts = source[begins:end] != bytes(2)
        elif marker in FRAMES:
            height, width, parts = struct.unpack_from(">HHB", source, begins + 1)
            tally.frame(width, height)
            kind, held = marker, _coefficients(source[begins + 7 : begins + 6 + 3 * parts : 3])
        elif marker == 0xE1 and source.startswith(_EXIF, begins):
            exif.append(source[begins + len(_EXIF) : end])
    if sum(map(len, exif)) > _LARGE_EXIF:
        read_directory(b"".join(exif), tally)


def _coefficients(samplings: bytes) -> float:
    """Return how many bytes the coefficients of a pixel take."""
    blocks = [(each >> 4) * (each & 15) for each in samplings]
    most = max((each >> 4 for each in samplings), default=1) * max((each & 15 for each in samplings), default=1)
    return 2 * sum(blocks) / max(most, 1)


def check_scans(source: bytes, pixels: int) -> None:
    """Raise `DamagedImage` when decoding all scans would take too long."""
    scans = 0
    for marker, _, _ in segments(source, Tally()):
        scans += marker == _SCAN
        if scans > MOST_SCANS or (scans > 1 and scans * pixels > MOST_WORK):
            raise DamagedImage(f"The JPEG image has more scans than a picture of its size: {scans} or more.")


def segments(source: bytes, tally: Tally) -> Iterator[tuple[int, int, int]]:
    """Yield marker, begin and end of each segment up to the end of the picture; what is between them is passed over."""
    at, scanned = 2, False
    while (found := source.find(b"\xff", at)) >= 0 and found + 4 <= len(source):
        marker = source[found + 1]
        tally.part(found - at + 1, _MOST_STEPS)
        if marker == _END and scanned:
            return
        if marker in _ALONE:
            at = found + (1 if marker == _FILL else 2)
            continue
        tally.part(_SEGMENT, _MOST_STEPS)
        (length,) = struct.unpack_from(">H", source, found + 2)
        at = found + 2 + max(length, 2)
        yield marker, found + 4, at
        if marker == _SCAN:
            scanned = True
            behind = _MARKER.search(source, at)
            at = behind.start() if behind else len(source)
