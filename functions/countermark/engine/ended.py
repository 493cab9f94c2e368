"""JPEG files that lack nothing but the marker at their end. Viewers show them, and so they are marked.

A file that is really cut off is not: what is missing of it would be grey.
"""

import struct
from collections.abc import Callable, Iterator
from io import BytesIO

from PIL import Image, ImageChops

_SCAN, _END, _FILL = 0xDA, 0xD9, 0xFF
_IN_SCANS = {0x00, *range(0xD0, 0xD8)}  # what may follow FF inside a scan
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_PROGRESSIVE = {0xC2, 0xCA}
_COEFFICIENTS = 64
_BYTES_A_PIXEL = 16  # of two pictures, and of the coefficients while one of them is decoded
_ROWS = 256  # that are compared at a time
_EOI = b"\xff\xd9"
#: A decoder that still needs data takes it from here, and not the zeros that it makes up in front of an end.
_DECOY = bytes(value % 251 for value in range(163, 60_000, 89))


def with_end(source: bytes, admit: Callable[[int], None]) -> bytes | None:
    """Return a JPEG file with its end, if that is all that it lacks; otherwise None.

    `admit` is asked before it takes memory.
    """
    source = source.rstrip(b"\xff") if source.endswith(b"\xff") else source
    if not source.startswith(b"\xff\xd8") or not _has_every_scan(source):
        return None
    pictures: list[Image.Image] = []
    for tail in (b"", _DECOY):
        try:
            picture = Image.open(BytesIO(source + tail + _EOI), formats=["JPEG"])
            if not pictures:
                admit(picture.width * picture.height * _BYTES_A_PIXEL + 3 * len(source))
            picture.load()
        except (OSError, SyntaxError, ValueError):
            return None
        pictures.append(picture)
    return source + _EOI if _same(*pictures) else None


def _same(one: Image.Image, other: Image.Image) -> bool:
    """Tell whether two pictures of one size and mode are the same, in little memory."""
    for top in range(0, one.height, _ROWS):
        box = (0, top, one.width, min(top + _ROWS, one.height))
        if ImageChops.difference(one.crop(box), other.crop(box)).getbbox(alpha_only=False):
            return False
    return True


def _has_every_scan(source: bytes) -> bool:
    """Tell whether the file ends inside a scan, and all scans that its picture needs have begun."""
    wanted: set[tuple[int, int]] = set()  # component and coefficient
    progressive, inside = False, False
    for marker, begins, end in _segments(source):
        inside = marker == _SCAN
        if marker == _END:
            return False
        if marker in _FRAMES and end - begins >= 6:
            each = 1 if marker not in _PROGRESSIVE else _COEFFICIENTS
            progressive = each > 1
            ids = source[begins + 6 : end : 3]
            wanted = {(number, place) for number in ids for place in range(each)}
        elif inside and end - begins >= 4:
            ids = source[begins + 1 : end - 3 : 2]
            first, last, fine = source[end - 3 : end]
            if not progressive:
                first = last = fine = 0
            if fine & 15 == 0:
                wanted -= {(number, place) for number in ids for place in range(first, last + 1)}
    return inside and not wanted


def _segments(source: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, begin and end of each segment, scans with what stands before their data; a cut one ends it all."""
    at = 2
    while at + 2 <= len(source) and source[at] == 0xFF:
        marker = source[at + 1]
        if marker == _FILL:
            at += 1
            continue
        length = struct.unpack_from(">H", source, at + 2)[0] if at + 4 <= len(source) and marker != _END else 0
        if at + 2 + length > len(source):
            yield _END, at, at
            return
        yield marker, at + 4, at + 2 + length
        at += 2 + length
        if marker == _END:
            return
        if marker == _SCAN:
            at = _behind_scan(source, at)


def _behind_scan(source: bytes, at: int) -> int:
    """Return where the data of a scan end: at the next marker, or at the end of the file."""
    while True:
        at = source.find(b"\xff", at)
        if at < 0 or at + 1 >= len(source):
            return len(source)
        if source[at + 1] not in _IN_SCANS:
            return at
        at += 2
