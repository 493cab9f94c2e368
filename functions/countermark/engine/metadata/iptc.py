"""IPTC's data sets, by number: texts and codes; what else there is, pictures and sounds, is not."""

import struct
from collections.abc import Iterator

from .rights import Rights
from .signs import Texts

_BY_LINE, _COPYRIGHT = 80, 116
#: Status, name, category, keywords, place, instructions, dates, program, persons, headline, credit, caption, language
_KNOWN = {
    *(3, 4, 5, 7, 8, 10, 12, 15, 20, 22, 25, 26, 27, 30, 35, 37, 38, 40, 42, 45, 47, 50, 55, 60, 62, 63, 65, 70, 75),
    *(80, 85, 90, 92, 95, 100, 101, 103, 105, 110, 115, 116, 118, 120, 121, 122, 130, 131, 135),
}
_PLACES = {26, 27, 90, 92, 95, 100, 101}
_LONGEST_TEXT = 5000
_MOST = 1000
_UTF8 = b"\x1b%G"
_HEAD = struct.Struct(">BBBH")


def kept(block: bytes, choice: str, *, rights: Rights) -> bytes:
    """Return the data sets of a block that a copy carries, in UTF-8, with these rights; empty when there are none."""
    found = [] if choice == "none" else list(_texts(block))
    if choice == "no-location":
        found = [each for each in found if each[0] not in _PLACES]
    for number, words in ((_BY_LINE, rights.creator), (_COPYRIGHT, rights.copyright)):
        if words:
            found = [*(each for each in found if each[0] != number), (number, words)]
    if not found:
        return b""
    sets = [_HEAD.pack(0x1C, 1, 90, len(_UTF8)) + _UTF8, _HEAD.pack(0x1C, 2, 0, 2) + b"\0\4"]
    for number, words in sorted(found, key=lambda each: each[0]):
        data = words.encode()
        sets.append(_HEAD.pack(0x1C, 2, number, len(data)) + data)
    return b"".join(sets)


def _texts(block: bytes) -> Iterator[tuple[int, str]]:
    """Yield number and text of each known data set."""
    at, texts = 0, Texts()
    for _ in range(_MOST):
        if at + _HEAD.size > len(block) or block[at] != 0x1C:
            return
        _, record, number, length = _HEAD.unpack_from(block, at)
        if length & 0x8000:  # an extended length, which no text has
            return
        data = block[at + _HEAD.size : at + _HEAD.size + length]
        at += _HEAD.size + length
        if record == 2 and number in _KNOWN:
            words = _decoded(data)
            if words and texts.read(words, _LONGEST_TEXT):
                yield number, words


def _decoded(data: bytes) -> str:
    """Return a text that is UTF-8 whether the block says so or not, or else Latin-1, as all programs guess."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
