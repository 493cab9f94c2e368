"""EXIF edited where it stands: no offset moves, so what a camera's maker wrote stays readable."""

import contextlib
import struct
from dataclasses import dataclass
from datetime import datetime

ORIENTATION, GPS, EXIF_IFD, DATE_TAKEN, DATE = 0x0112, 0x8825, 0x8769, 0x9003, 0x0132
THUMBNAIL_OFFSET, THUMBNAIL_LENGTH = 0x0201, 0x0202
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_ENTRY = 12


@dataclass(frozen=True)
class _Entry:
    """One entry of a directory: where it stands and where its value stands, in bytes from the header."""

    tag: int
    kind: int
    count: int
    at: int
    value_at: int

    @property
    def length(self) -> int:
        return _SIZES.get(self.kind, 1) * self.count


class Exif:
    """The TIFF structure inside an EXIF block; damaged parts are left alone."""

    def __init__(self, data: bytes) -> None:
        """Take the block with or without its "Exif" head."""
        self._head = data[:6] if data[:4] == b"Exif" else b""
        self._data = bytearray(data[len(self._head) :])
        self._order = ">" if self._data[:2] == b"MM" else "<"

    def __bytes__(self) -> bytes:
        """Return the block as it is now."""
        return self._head + bytes(self._data)

    @property
    def orientation(self) -> int:
        """1 to 8; 1 when it is missing or nonsense."""
        entry = self._find(ORIENTATION)
        value = self._number(entry) if entry else 1
        return value if 1 <= value <= 8 else 1

    @property
    def taken(self) -> datetime | None:
        """When the photograph was taken, without a zone."""
        texts = []
        for directory in (self._directory(EXIF_IFD), self._first()):
            for tag in (DATE_TAKEN, DATE):
                entry = next((each for each in self._entries(directory) if each.tag == tag), None)
                if entry:
                    texts.append(self._data[entry.value_at : entry.value_at + 19])
        for text in texts:
            with contextlib.suppress(ValueError):
                return datetime.strptime(text.decode("latin-1"), "%Y:%m:%d %H:%M:%S")
        return None

    def reset_orientation(self) -> None:
        """Say that the pixels stand upright."""
        if (entry := self._find(ORIENTATION)) and entry.kind == 3:
            self._pack("H", entry.value_at, 1)

    def drop_location(self) -> None:
        """Remove the place where the photograph was taken."""
        entry = self._find(GPS)
        if entry is None:
            return
        directory = self._number(entry)
        for each in self._entries(directory):
            self._blank(each.value_at, each.length)
        self._blank(directory, 2 + _ENTRY * len(self._entries(directory)) + 4)
        self._remove(entry)

    def drop_thumbnail(self) -> None:
        """Remove the small copy of the picture, which carries no mark."""
        first = self._first()
        link = first + 2 + _ENTRY * len(self._entries(first))
        if not first or link + 4 > len(self._data):
            return
        thumbnail = {each.tag: self._number(each) for each in self._entries(self._unpack("I", link))}
        if THUMBNAIL_OFFSET in thumbnail and THUMBNAIL_LENGTH in thumbnail:
            self._blank(thumbnail[THUMBNAIL_OFFSET], thumbnail[THUMBNAIL_LENGTH])
            if thumbnail[THUMBNAIL_OFFSET] + thumbnail[THUMBNAIL_LENGTH] >= len(self._data):
                del self._data[thumbnail[THUMBNAIL_OFFSET] :]
        self._pack("I", link, 0)

    def _first(self) -> int:
        return self._unpack("I", 4) if len(self._data) >= 8 else 0

    def _find(self, tag: int) -> _Entry | None:
        return next((entry for entry in self._entries(self._first()) if entry.tag == tag), None)

    def _directory(self, tag: int) -> int:
        entry = self._find(tag)
        return self._number(entry) if entry else 0

    def _entries(self, directory: int) -> list[_Entry]:
        if not 8 <= directory <= len(self._data) - 2:
            return []
        count = min(self._unpack("H", directory), (len(self._data) - directory - 2) // _ENTRY)
        found = []
        for at in range(directory + 2, directory + 2 + count * _ENTRY, _ENTRY):
            tag, kind, values, offset = struct.unpack_from(self._order + "HHII", self._data, at)
            inline = _SIZES.get(kind, 1) * values <= 4
            found.append(_Entry(tag, kind, values, at, at + 8 if inline else offset))
        return found

    def _number(self, entry: _Entry) -> int:
        return self._unpack("H" if entry.kind == 3 else "I", entry.value_at)

    def _remove(self, entry: _Entry) -> None:
        """Close the gap that an entry leaves in the first directory."""
        first = self._first()
        count = len(self._entries(first))
        end = first + 2 + count * _ENTRY + 4  # with the link to the next directory
        rest = bytes(self._data[entry.at + _ENTRY : end])
        self._data[entry.at : entry.at + len(rest)] = rest
        self._blank(end - _ENTRY, _ENTRY)
        self._pack("H", first, count - 1)

    def _blank(self, at: int, length: int) -> None:
        end = min(at + length, len(self._data))
        if 8 <= at < end:
            self._data[at:end] = bytes(end - at)

    def _unpack(self, kind: str, at: int) -> int:
        if at + struct.calcsize(kind) > len(self._data):
            return 0
        return int(struct.unpack_from(self._order + kind, self._data, at)[0])

    def _pack(self, kind: str, at: int, value: int) -> None:
        if at + struct.calcsize(kind) <= len(self._data):
            struct.pack_into(self._order + kind, self._data, at, value)
