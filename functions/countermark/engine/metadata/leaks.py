"""Every picture inside a file that can be decoded, wherever it hides: what no marked copy may have.

    python -m countermark.engine.metadata.leaks result.jpg ...

With COUNTERMARK_FIND_LEAKS=1 in the environment the engine looks at each of its results and raises `LeakedPicture`
instead of handing on one that holds another picture.
"""

import base64
import bz2
import lzma
import re
import sys
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from pi_heif import register_heif_opener
from PIL import Image
from PIL.ExifTags import Base

from .signs import unpack
from .structure import Block

SMALLEST = 32  # pixels; what is no longer on either side shows nothing
_PLAIN = "as it is"
_DEEPEST = 3  # a picture in base64 in a compressed text in a file
_UNPACKED = 32_000_000
_MOST_PACKED = 2000

_HEADS = re.compile(
    rb"[\s\S]\xd8\xff[\xc0-\xfe]|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF[\s\S]{4}WEBP|[\s\S]{4}ftyp|\0\0\0\x0cJXL |"
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51|8BPS\0[\x01\x02]|"
    rb"BM[\s\S]{4}\0\0\0\0[\s\S]{2}\0\0[\x0c\x28\x38\x40\x6c\x7c]\0\0\0|"
    rb"II\*\0|MM\0\*|II\xbc\x01|qoif"
)
_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08|BZh[1-9]1AY&SY|\xfd7zXZ\0")
_LETTERS = re.compile(rb"[A-Za-z0-9+/_=-](?:[A-Za-z0-9+/_=-]|[\r\n\t \\]|&#x[Aa];|&#1[03];){98,}")
_DIGITS = re.compile(rb"[0-9A-Fa-f](?:[0-9A-Fa-f]|[\r\n\t ,:%]){198,}")
_WIDE = re.compile(rb"(?:[\x20-\x7e]\0(?:\0\0)?){100,}|(?:(?:\0\0)?\0[\x20-\x7e]){100,}")
_NO_LETTERS = re.compile(rb"[\r\n\t \\=]|&#x?[0-9Aa]{1,2};")
_NO_DIGITS = re.compile(rb"[^0-9A-Fa-f]")
_DIRECTORIES = {Base.ExifOffset, Base.SubIFDs}
_STRIPS, _PREVIEWS = {Base.StripOffsets, Base.TileOffsets}, {Base.JpegIFOffset}


class Found(NamedTuple):
    """A picture in a file."""

    way: str  # how it hides, from the outside in
    at: int  # where, in what holds it
    format: str
    size: tuple[int, int]


def find_pictures(data: bytes, *, skip: int = 0) -> list[Found]:
    """Return the pictures in `data` that begin at `skip` or later, also in base64, hexadecimal or compressed."""
    return list(_search(data, skip, "", 0))


def find_leaks(result: bytes) -> list[Found]:
    """Return the pictures in a finished file but for the one that it is."""
    own = _strips(result) | _tables(result)  # of the picture itself, which may be JPEG files
    found = (each for each in find_pictures(result, skip=1) if each.way != _PLAIN or each.at not in own)
    return [*found, *_directories(result, pages=True)]


def _tables(result: bytes) -> set[int]:
    """Return where the tables of JPEG stand that pages of a TIFF file have, or had before their tags were written anew.

    They are no picture, and are taken for one with the strip that comes behind them.
    """
    reader = Block(result)
    entries = [entry for page in reader.chain() for entry in reader.entries(page) if entry.tag == Base.JPEGTables]
    tables = {value.data for entry in entries if (value := reader.value(entry))}
    return {found.start() for each in tables for found in re.finditer(re.escape(each), result)}


def _strips(result: bytes) -> set[int]:
    """Return where the strips and tiles of the pages of a TIFF file begin, and the tables that they share as JPEG."""
    reader = Block(result)
    entries = [entry for page in reader.chain() for entry in reader.entries(page)]
    values = [(entry.tag, value) for entry in entries if (value := reader.value(entry))]
    strips = {at for tag, value in values if tag in _STRIPS for at in reader.numbers(value)}
    return strips | {value.at for tag, value in values if tag == Base.JPEGTables}


def _search(data: bytes, skip: int, way: str, depth: int) -> Iterator[Found]:
    for found in _HEADS.finditer(data, skip):
        if (picture := _opened(data, found.start())) is not None:
            yield Found(way or _PLAIN, found.start(), *picture)
    if depth == _DEEPEST:
        return
    for name, at, inner in _hidden(data):
        yield from _search(inner, 0, f"{way} {name} at {at}".strip(), depth + 1)


def _hidden(data: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Yield what is written in another way: how, where, and what it says."""
    for number, found in enumerate(_PACKED.finditer(data)):
        if number < _MOST_PACKED and len(inner := _unpacked(data[found.start() :])) > SMALLEST:
            yield "compressed", found.start(), inner
    for found in _LETTERS.finditer(data):
        letters = _NO_LETTERS.sub(b"", found[0]).replace(b"-", b"+").replace(b"_", b"/")
        for phase in range(4):
            part = letters[phase:]
            yield "base64", found.start(), base64.b64decode(part[: len(part) // 4 * 4])
    for found in _DIGITS.finditer(data):
        digits = _NO_DIGITS.sub(b"", found[0])
        for phase in range(2):
            part = digits[phase:]
            yield "hexadecimal", found.start(), bytes.fromhex(part[: len(part) // 2 * 2].decode())
    for found in _WIDE.finditer(data):
        yield "wide letters", found.start(), found[0].replace(b"\0", b"")


def _unpacked(data: bytes) -> bytes:
    """Return what the compressed data at the start of `data` holds, as far as it can be read."""
    try:
        if data.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(data, _UNPACKED)
        if data.startswith(b"\xfd7zXZ"):
            return lzma.LZMADecompressor().decompress(data, _UNPACKED)
    except (OSError, lzma.LZMAError):
        return b""
    return unpack(data, _UNPACKED)


def _opened(data: bytes, at: int) -> tuple[str, tuple[int, int]] | None:
    """Return format and size of the picture at `at`, or None when there is none to speak of.

    A file that is cut off counts: much of a picture is one.
    """
    piece = data[at:]
    if piece[1:3] == b"\xd8\xff":
        piece = b"\xff" + piece[1:]  # some cameras change the first byte of their previews
    if piece[:4] in {b"II*\0", b"MM\0*"}:
        found = _directories(piece)
        return ("TIFF", found[0].size) if found else _decoded(piece)
    return _decoded(piece, decode=piece[:2] == b"BM")


def _decoded(piece: bytes, *, decode: bool = True) -> tuple[str, tuple[int, int]] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(BytesIO(piece))
            if max(image.size) <= SMALLEST:
                return None
            if decode:
                image.load()
    except Exception:
        return None
    return image.format or "", image.size


def _directories(block: bytes, *, pages: bool = False) -> list[Found]:
    """Return the pictures that directories of a TIFF structure hold: a JPEG tag, or strips.

    Strips are none in the first directory, and with `pages` in those that follow it.
    """
    reader = Block(block)
    found: list[Found] = []
    seen: set[int] = set()
    waiting = [(reader.first, True)] if reader.first else []
    while waiting and len(seen) < 100:
        at, own = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        tags = reader.values(at)
        numbers = {tag: reader.number(value) for tag, value in tags.items()}
        size = (numbers.get(Base.ImageWidth, 0), numbers.get(Base.ImageLength, 0))
        if (tags.keys() & _STRIPS and not own) or tags.keys() & _PREVIEWS:
            found.append(Found("directory", at, "TIFF", size))
        waiting += [(numbers[tag], False) for tag in _DIRECTORIES & numbers.keys()]
        if tags:
            waiting.append((reader.behind(at), own and pages))
    return found


def main() -> int:
    """Name the pictures in files; return 1 when there are any."""
    leaks = 0
    for name in sys.argv[1:]:
        for found in find_leaks(Path(name).read_bytes()):
            print(f"{name}: {found.format} of {found.size[0]} x {found.size[1]}, {found.way} at {found.at}")
            leaks += 1
    return 1 if leaks else 0


register_heif_opener(thumbnails=False)

if __name__ == "__main__":
    raise SystemExit(main())
