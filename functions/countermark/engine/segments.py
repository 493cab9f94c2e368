"""The segments of a JPEG file that hold no image data: read, chosen, and put into another file."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .exif import Exif

APP1, APP2, APP13, COMMENT = 0xE1, 0xE2, 0xED, 0xFE
_CARRIED = {*range(0xE1, 0xEE), 0xEF, COMMENT}  # all but JFIF and Adobe, which belong to the encoder
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_SCAN, _JFIF = 0xDA, 0xE0
_LONGEST = 65_533

EXIF, XMP, ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_EXTENDED_XMP, _MULTI_PICTURE, _PHOTOSHOP = b"http://ns.adobe.com/xmp/extension/\0", b"MPF\0", b"Photoshop 3.0\0"
_THUMBNAILS = {0x0409, 0x040C}  # Photoshop resources that show the picture without its mark
_IPTC = 0x0404
_PLACES = {26, 27, 90, 92, 95, 100, 101}  # IPTC data sets that say where


@dataclass(frozen=True)
class Segment:
    """One marker segment."""

    marker: int
    payload: bytes

    def __bytes__(self) -> bytes:
        """Return it as it stands in a file."""
        return struct.pack(">BBH", 0xFF, self.marker, len(self.payload) + 2) + self.payload


def read_segments(source: bytes) -> list[Segment]:
    """Return the segments before the first scan that a copy may carry."""
    return [segment for segment, _ in _walk(source) if segment.marker in _CARRIED]


def put_segments(data: bytes, segments: list[Segment]) -> bytes:
    """Return the JPEG file `data` with `segments` in the place of those that it has."""
    head, tables, scan_at = [], [], 2
    for segment, end in _walk(data):
        scan_at = end
        if segment.marker == _JFIF:
            head += _without_thumbnail(segment)
        elif segment.marker not in _CARRIED:
            tables.append(segment)
    # EXIF wants to be first, but every reader accepts it behind JFIF.
    return b"".join([data[:2], *map(bytes, (*head, *segments, *tables)), memoryview(data)[scan_at:]])


def _without_thumbnail(segment: Segment) -> list[Segment]:
    """Return a JFIF segment without the picture that it may hold, and nothing for an extension of one."""
    return [Segment(_JFIF, segment.payload[:12] + b"\0\0")] if segment.payload.startswith(b"JFIF\0") else []


def kept_segments(source: bytes, choice: str, *, upright: bool) -> list[Segment]:
    """Return what a marked copy carries: `choice` is "keep", "no-location" or "none".

    Pictures of the picture (thumbnails, further frames) are never kept: they carry no mark. `upright` says that
    the pixels have been turned and the orientation with them.
    """
    kept = []
    for segment in read_segments(source):
        changed = _changed(segment, choice, upright=upright)
        if changed is not None:
            kept.append(changed)
    return kept


def _changed(segment: Segment, choice: str, *, upright: bool) -> Segment | None:
    payload = segment.payload
    if segment.marker == APP2 and payload.startswith(ICC):
        return segment
    if choice == "none" or (segment.marker == APP2 and payload.startswith(_MULTI_PICTURE)):
        return _bare_orientation(segment) if not upright else None
    if segment.marker == APP1 and payload.startswith(EXIF):
        return Segment(APP1, edit_exif(payload, choice, upright=upright))
    if segment.marker == APP1 and payload.startswith(XMP):
        return Segment(APP1, XMP + edit_xmp(payload.removeprefix(XMP), choice, upright=upright))
    if segment.marker == APP1 and payload.startswith(_EXTENDED_XMP):
        return segment if choice == "keep" else None
    if segment.marker == APP13 and payload.startswith(_PHOTOSHOP):
        return Segment(APP13, _PHOTOSHOP + _edit_photoshop(payload.removeprefix(_PHOTOSHOP), choice))
    return segment


def _bare_orientation(segment: Segment) -> Segment | None:
    """Return an EXIF block that says how the picture is held and nothing else; without it, it would lie on its side."""
    if segment.marker != APP1 or not segment.payload.startswith(EXIF):
        return None
    orientation = Exif(segment.payload).orientation
    value = bytes((0, orientation, 0, 0, 0, 0, 0, 0))
    return Segment(APP1, EXIF + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + value)


def edit_exif(block: bytes, choice: str, *, upright: bool) -> bytes:
    """Return an EXIF block without its thumbnail, and without its location when that is chosen."""
    exif = Exif(block)
    exif.drop_thumbnail()
    if upright:
        exif.reset_orientation()
    if choice == "no-location":
        exif.drop_location()
    return bytes(exif)


_SPACES = rb"(?:exif|photoshop|Iptc4xmpCore|Iptc4xmpExt)"
_NAMES = (
    rb"(?:GPS\w+|City|State|Country|CountryCode|Location|LocationShown|LocationCreated|Sublocation|CountryName"
    rb"|ProvinceState|WorldRegion)"
)
_ATTRIBUTE = re.compile(rb"\s" + _SPACES + rb":" + _NAMES + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_ELEMENT = re.compile(rb"<(" + _SPACES + rb":" + _NAMES + rb")(?:\s[^>]*)?(?:/>|(?<!/)>.*?</\1\s*>)", re.DOTALL)
_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))\d")
_THUMBNAIL = re.compile(rb"<xmp:Thumbnails\b.*?</xmp:Thumbnails\s*>", re.DOTALL)


def edit_xmp(packet: bytes, choice: str, *, upright: bool) -> bytes:
    """Return an XMP packet without its thumbnails, and without its location when that is chosen."""
    packet = _THUMBNAIL.sub(b"", packet)
    if upright:
        packet = _ORIENTATION.sub(rb"\g<1>1", packet)
    return _ELEMENT.sub(b"", _ATTRIBUTE.sub(b"", packet)) if choice == "no-location" else packet


def _edit_photoshop(block: bytes, choice: str) -> bytes:
    """Return Photoshop's resources without thumbnails, and without the IPTC location when that is chosen."""
    kept = []
    for number, name, data in _resources(block):
        if number in _THUMBNAILS:
            continue
        if number == _IPTC and choice == "no-location":
            data = _without_places(data)
        padding = b"\0" * (len(data) % 2)
        kept.append(b"8BIM" + struct.pack(">H", number) + name + struct.pack(">I", len(data)) + data + padding)
    return b"".join(kept)


def _resources(block: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield number, padded name and data of each resource; stop where the block is damaged."""
    at = 0
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        (number,) = struct.unpack_from(">H", block, at + 4)
        name_end = at + 6 + (block[at + 6] + 2) // 2 * 2
        if name_end + 4 > len(block):
            return
        (length,) = struct.unpack_from(">I", block, name_end)
        yield number, block[at + 6 : name_end], block[name_end + 4 : name_end + 4 + length]
        at = name_end + 4 + length + length % 2


def _without_places(data: bytes) -> bytes:
    """Return IPTC data sets without those that say where."""
    kept, at = b"", 0
    while data[at : at + 1] == b"\x1c" and at + 5 <= len(data):
        record, number, length = struct.unpack_from(">BBH", data, at + 1)
        if length & 0x8000:  # an extended length, which none of the dropped ones has
            return kept + data[at:]
        if not (record == 2 and number in _PLACES):
            kept += data[at : at + 5 + length]
        at += 5 + length
    return kept


def segments_of(exif: bytes, xmp: bytes, profile: bytes | None, comment: bytes) -> list[Segment]:
    """Return metadata as segments; what does not fit into one is left out."""
    found = []
    if exif:
        found.append(Segment(APP1, exif if exif.startswith(b"Exif") else EXIF + exif))
    if xmp:
        found.append(Segment(APP1, XMP + xmp))
    if profile:
        room = _LONGEST - len(ICC) - 2
        parts = [profile[at : at + room] for at in range(0, len(profile), room)]
        if len(parts) < 256:
            found += [Segment(APP2, ICC + bytes((index, len(parts))) + part) for index, part in enumerate(parts, 1)]
    if comment:
        found.append(Segment(COMMENT, comment))
    return [segment for segment in found if len(segment.payload) <= _LONGEST]


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
