"""EXIF, read by known tags and written anew from them."""

import contextlib
from datetime import datetime

from . import makernote
from .rights import Rights
from .signs import Texts, begins_picture
from .structure import ASCII, BYTE, UNDEFINED, UTF8, Block, Directory, Value, short, text, write_block
from .tags import (
    ARTIST,
    CHANGED,
    COPYRIGHT,
    EXIF_IFD,
    FIRST,
    GPS_IFD,
    MAKE,
    MAKER_NOTE,
    ORIENTATION,
    TAKEN,
    Holds,
    Known,
)

HEAD = b"Exif\0\0"
_LONGEST_TEXT = 5000
_LONGEST_NUMBERS = 128  # bytes; what is larger is a table or a picture
_LONGEST_NOTES = 65_535
_LARGEST_PIN = 60_000  # where notes can stay in a block that a JPEG segment holds
_TEXTS = {ASCII, UTF8, BYTE, UNDEFINED}
_CHARSETS = {b"ASCII\0\0\0": "utf-8", b"UNICODE\0": "utf-16", bytes(8): "utf-8"}


class Exif:
    """What an EXIF block, or a TIFF file, says of the picture in known tags; the damaged is not there."""

    def __init__(self, data: bytes) -> None:
        """Take the block with or without its "Exif" head."""
        block = Block(data.removeprefix(HEAD))
        self._order = block.order or ">"
        self._tags = _read(block, block.first, FIRST, Texts())

    def __bool__(self) -> bool:
        """Tell whether anything is there."""
        return bool(self._tags)

    @property
    def orientation(self) -> int:
        """1 to 8; 1 when it is missing or nonsense."""
        value = self._tags.get(ORIENTATION)
        number = Block(_mark(self._order)).number(value) if isinstance(value, Value) else 1
        return number if 1 <= number <= 8 else 1

    @property
    def taken(self) -> datetime | None:
        """When the photograph was taken, without a zone."""
        for words in (self.text(TAKEN, EXIF_IFD), self.text(CHANGED, EXIF_IFD), self.text(TAKEN), self.text(CHANGED)):
            with contextlib.suppress(ValueError):
                return datetime.strptime(words[:19], "%Y:%m:%d %H:%M:%S")
        return None

    def text(self, tag: int, directory: int | None = None) -> str:
        """Return the text of a tag, empty when it has none."""
        tags = self._tags if directory is None else self._tags.get(directory, {})
        value = tags.get(tag) if isinstance(tags, dict) else None
        return decoded(value.data).partition("\0")[0].strip() if isinstance(value, Value) else ""

    def kept(self, choice: str, *, upright: bool, rights: Rights, longest: int = 1 << 20) -> bytes:
        """Return a new block of at most `longest` bytes, or nothing.

        `choice` is "keep", "no-location" or "none"; `upright` says that the pixels have been turned.
        """
        tags = self._chosen(choice, upright=upright) | _of_rights(rights)
        least = self._chosen("none", upright=upright) | _of_rights(rights)
        for chosen in (tags, _without_notes(tags)):
            block = self._written(chosen) if chosen else b""
            # A picture may be put together from small values, each of which is none.
            if len(block) <= longest and not begins_picture(block):
                return block
        return self._written(least) if least else b""

    def as_tags(self) -> tuple[str, Directory]:
        """Return the byte order and the tags as a TIFF file takes them, where no maker's notes stay in place."""
        return self._order, _without_notes(self._tags)

    def _chosen(self, choice: str, *, upright: bool) -> Directory:
        turned: Directory = (
            {} if upright or self.orientation == 1 else {ORIENTATION: short(self._order, self.orientation)}
        )
        if choice == "none":
            return turned
        tags = dict(self._tags)
        if ORIENTATION in tags:
            tags[ORIENTATION] = turned.get(ORIENTATION, short(self._order, 1))
        if choice == "no-location":
            tags.pop(GPS_IFD, None)
        nested = tags.get(EXIF_IFD)
        if isinstance(nested, dict) and isinstance(notes := nested.get(MAKER_NOTE), Value):
            data = makernote.kept(notes.data, notes.at, self._order, self.text(MAKE), places=choice == "keep")
            tags = _without_notes(tags)
            if data:
                tags[EXIF_IFD] = {**nested, MAKER_NOTE: notes._replace(data=data)}
        return tags

    def _written(self, tags: Directory) -> bytes:
        nested = tags.get(EXIF_IFD)
        notes = nested.get(MAKER_NOTE) if isinstance(nested, dict) else None
        pinned = notes if isinstance(notes, Value) and notes.at + len(notes.data) <= _LARGEST_PIN else None
        return write_block(self._order, tags, pinned)


def _mark(order: str) -> bytes:
    return b"MM\0*" if order == ">" else b"II*\0"


def _of_rights(rights: Rights) -> Directory:
    written = {ARTIST: rights.creator, COPYRIGHT: rights.copyright}
    return {tag: text(words) for tag, words in written.items() if words}


def _without_notes(tags: Directory) -> Directory:
    nested = tags.get(EXIF_IFD)
    if not isinstance(nested, dict) or MAKER_NOTE not in nested:
        return tags
    return {**tags, EXIF_IFD: {tag: value for tag, value in nested.items() if tag != MAKER_NOTE}}


def _read(block: Block, at: int, known: Known, texts: Texts) -> Directory:
    """Return the known tags of the directory at `at` that hold what they may, and the directories in it."""
    found: Directory = {}
    seen = set()  # a tag is read once, however often it stands there
    for entry in block.entries(at):
        holds = known.get(entry.tag)
        if holds is None or entry.tag in seen:
            continue
        seen.add(entry.tag)
        value = block.value(entry) if entry.length <= _LONGEST_NOTES else None
        if value is None:
            continue
        # No directory is one of its own tags, so that this ends.
        if not isinstance(holds, Holds):
            nested = _read(block, block.number(value), holds, texts)
            found |= {entry.tag: nested} if nested else {}
        elif allowed := _allowed(value, holds, texts):
            found[entry.tag] = allowed
    return found


def _allowed(value: Value, holds: Holds, texts: Texts) -> Value | None:
    """Return a value as it may be kept, or None."""
    if holds is Holds.NOTES:
        return value
    if holds is Holds.NUMBERS:
        good = value.kind != ASCII and len(value.data) <= _LONGEST_NUMBERS and texts.count(len(value.data))
        return value if good else None
    if value.kind not in _TEXTS:
        return None
    if holds is Holds.TEXT:
        data = value.data.rstrip(b"\0")
        kind = UTF8 if value.kind == UTF8 else ASCII
        return Value(kind, len(data) + 1, data + b"\0") if _reads(data, texts) else None
    if holds is Holds.WIDE:
        words = value.data.decode("utf-16-le", "replace").rstrip("\0")
        data = words.encode("utf-16-le") + b"\0\0"
        return Value(BYTE, len(data), data) if texts.read(words, _LONGEST_TEXT) else None
    return _comment(value.data, texts)


def _comment(data: bytes, texts: Texts) -> Value | None:
    """Return a comment as it may be kept; cameras leave it filled with spaces or zeros."""
    charset, words = data[:8], data[8:].rstrip(b"\0 ")
    encoding = _CHARSETS.get(charset)
    if not words or encoding is None:
        return None
    if encoding == "utf-16":
        words += b"\0" * (len(words) % 2)  # the last letter's half may have been a filling zero
        good = any(texts.read(words.decode(f"utf-16-{order}", "replace"), _LONGEST_TEXT) for order in ("be", "le"))
    else:
        good = _reads(words, texts)
    return Value(UNDEFINED, 8 + len(words), charset + words) if good else None


def _reads(data: bytes, texts: Texts) -> bool:
    return bool(data) and texts.read(decoded(data), _LONGEST_TEXT)


def decoded(data: bytes) -> str:
    """Return a text that is UTF-8, or else Latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
