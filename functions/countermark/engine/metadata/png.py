"""The chunks of a PNG file that hold metadata, wherever they stand."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from ..chunks import CHECKED, chunk, chunks
from .signs import unpack

_MOST_TEXTS = 200
_LARGEST = 2_000_000  # bytes of XMP or a raw profile, unpacked
_LONGEST = 20_000  # bytes of any other text, of which fewer are kept
_XMP = "XML:com.adobe.xmp"
_LARGEST_PROFILE = 8_000_000
_BITS, _KIND, _BEHIND_HEAD = 24, 25, 33  # where a file has them
_PALETTE = 3  # kind of colours
_RAW_PROFILE = "raw profile type "
_RAW_PROFILES = {"app1", "exif", "iptc", "xmp"}


@dataclass
class Chunks:
    """What the chunks of a file say."""

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    photoshop: bytes = b""
    profile: bytes = b""  # ICC
    colors: dict[bytes, bytes] = field(default_factory=dict)  # what else says how samples are meant, by kind of chunk
    texts: dict[str, str] = field(default_factory=dict)


def is_grey(source: bytes) -> bool:
    """Tell whether the samples of a PNG file are grey."""
    return source[_KIND : _KIND + 1] in {b"\0", b"\4"}


def pixels_of(source: bytes) -> bytes:
    """Return a PNG file with the chunks alone that make its picture.

    Whoever decodes it then meets no limit, no checksum and no damage of texts and profiles: they are read here.
    """
    parts, from_ = [], 0
    for kind, begins, end in chunks(source):
        if kind not in _PICTURE:
            parts.append(memoryview(source)[from_ : begins - 8])
            from_ = end + CHECKED
    return b"".join((*parts, memoryview(source)[from_:])) if parts else source


def put_chunks(data: bytes, colors: Mapping[bytes, bytes]) -> bytes:
    """Return the PNG file `data`, without such chunks so far, with these, as its bits and kind of colours need them."""
    bits, kind = data[_BITS], data[_KIND]
    found = []
    for name, content in colors.items():
        if name == b"sBIT":
            content = _significant(content, bits, kind)
        if content:
            found.append(chunk(name, content))
    return b"".join((memoryview(data)[:_BEHIND_HEAD], *found, memoryview(data)[_BEHIND_HEAD:])) if found else data


def _significant(content: bytes, bits: int, kind: int) -> bytes:
    """Return the significant bits of another kind of colours; nothing when they would be more than there are."""
    colors, alpha = (content[:-1], content[-1:]) if len(content) in {2, 4} else (content, b"")
    bits = 8 if kind == _PALETTE else bits
    wanted = 1 if kind in {0, 4} else 3
    if wanted == 1 and len(set(colors)) > 1:
        return b""
    result = colors[:1] * wanted if len(colors) != wanted else colors
    result += (alpha or bytes((bits,))) if kind in {4, 6} else b""
    return result if all(0 < each <= bits for each in result) else b""


def turned(colors: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return what belongs to a picture that is turned by a right angle: what were pixels across are now down."""
    size = colors.get(b"pHYs")
    return dict(colors) | ({b"pHYs": size[4:8] + size[:4] + size[8:]} if size else {})


def read_chunks(source: bytes) -> Chunks:
    """Return the metadata of a PNG file; damaged parts are not there."""
    found = Chunks()
    raw: dict[str, bytes] = {}
    of_metadata = (each for each in chunks(source) if each[0] in _READ)
    for kind, begins, end in islice(of_metadata, _MOST_TEXTS):
        data = source[begins:end]
        if kind == b"eXIf":
            found.exif = found.exif or data
            continue
        if kind == b"iCCP":
            found.profile = found.profile or unpack(data.partition(b"\0")[2][1:], _LARGEST_PROFILE)
            continue
        if kind in _COLORS:
            if len(data) in _COLORS[kind]:
                found.colors.setdefault(kind, data)
            continue
        _take(found, raw, *_READERS[kind](data))
    return _with_raw(found, raw)


def _take(found: Chunks, raw: dict[str, bytes], name: str, words: str) -> None:
    """Put a text where it belongs."""
    if name.lower().startswith(_RAW_PROFILE):
        profile = name.lower().removeprefix(_RAW_PROFILE)
        if profile in _RAW_PROFILES and profile not in raw:
            raw[profile] = _raw_profile(words)
    elif name == _XMP:
        found.xmp = found.xmp or words.encode("utf-8", "replace")
    elif name and words:
        found.texts.setdefault(name, words)


def _with_raw(found: Chunks, raw: Mapping[str, bytes]) -> Chunks:
    """Fill in what ImageMagick and others wrote as hexadecimal text before there were chunks for it."""
    app1 = raw.get("app1", b"")
    found.exif = found.exif or raw.get("exif", b"") or (app1 if app1.startswith(b"Exif") else b"")
    found.xmp = found.xmp or raw.get("xmp", b"")
    found.iptc = raw.get("iptc", b"")
    if found.iptc.startswith(b"8BIM"):  # ImageMagick writes the whole resource
        found.photoshop, found.iptc = found.iptc, b""
    return found


def _plain(data: bytes) -> tuple[str, str]:
    name, _, words = data.partition(b"\0")
    return name.decode("latin-1"), words[: _most(name)].decode("latin-1")


def _packed(data: bytes) -> tuple[str, str]:
    name, _, rest = data.partition(b"\0")
    return name.decode("latin-1"), unpack(rest[1:], _most(name)).decode("latin-1")


def _international(data: bytes) -> tuple[str, str]:
    name, _, rest = data.partition(b"\0")
    packed, words = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    words = unpack(words, _most(name)) if packed else words[: _most(name)]
    return name.decode("latin-1"), words.decode("utf-8", "replace")


def _most(name: bytes) -> int:
    """Return how many bytes of a text of this name are read."""
    words = name.decode("latin-1")
    return _LARGEST if words == _XMP or words.lower().startswith(_RAW_PROFILE) else _LONGEST


#: Kind of a chunk -> bytes that it may have.
_COLORS: Mapping[bytes, tuple[int, ...]] = {
    b"gAMA": (4,),
    b"cHRM": (32,),
    b"sRGB": (1,),
    b"cICP": (4,),
    b"mDCV": (24,),
    b"cLLI": (8,),
    b"sBIT": (1, 2, 3, 4),
    b"pHYs": (9,),
}
_PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"pHYs"}
_READERS = {b"tEXt": _plain, b"zTXt": _packed, b"iTXt": _international}
_READ = {b"eXIf", b"iCCP", *_COLORS, *_READERS}


def _raw_profile(words: str) -> bytes:
    """Return what a "Raw profile" holds: a name and a length in lines of their own, then hexadecimal digits."""
    digits = "".join(words.strip().split("\n")[2:])
    with contextlib.suppress(ValueError):
        return bytes.fromhex(digits)
    return b""
