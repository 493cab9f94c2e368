"""The chunks of a PNG file that hold metadata, wherever they stand."""

import contextlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .signs import unpack

_SIGNATURE = 8
_MOST_CHUNKS = 100_000
_MOST_TEXTS = 200
_LARGEST = 2_000_000  # bytes of XMP or a raw profile, unpacked
_LONGEST = 20_000  # bytes of any other text, of which fewer are kept
_XMP = "XML:com.adobe.xmp"
_RAW_PROFILE = "raw profile type "
_RAW_PROFILES = {"app1", "exif", "iptc", "xmp"}


@dataclass
class Chunks:
    """What the chunks of a file say."""

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    photoshop: bytes = b""
    texts: dict[str, str] = field(default_factory=dict)


def read_chunks(source: bytes) -> Chunks:
    """Return the metadata of a PNG file; damaged parts are not there."""
    found = Chunks()
    raw: dict[str, bytes] = {}
    for number, (kind, data) in enumerate(_metadata(source)):
        if number == _MOST_TEXTS:
            break
        if kind == b"eXIf":
            found.exif = found.exif or data
            continue
        name, words = _READERS[kind](data)
        if name.lower().startswith(_RAW_PROFILE):
            profile = name.lower().removeprefix(_RAW_PROFILE)
            if profile in _RAW_PROFILES and profile not in raw:
                raw[profile] = _raw_profile(words)
        elif name == _XMP:
            found.xmp = found.xmp or words.encode("utf-8", "replace")
        elif name and words:
            found.texts.setdefault(name, words)
    return _with_raw(found, raw)


def _with_raw(found: Chunks, raw: Mapping[str, bytes]) -> Chunks:
    """Fill in what ImageMagick and others wrote as hexadecimal text before there were chunks for it."""
    app1 = raw.get("app1", b"")
    found.exif = found.exif or raw.get("exif", b"") or (app1 if app1.startswith(b"Exif") else b"")
    found.xmp = found.xmp or raw.get("xmp", b"")
    found.iptc = raw.get("iptc", b"")
    if found.iptc.startswith(b"8BIM"):  # ImageMagick writes the whole resource
        found.photoshop, found.iptc = found.iptc, b""
    return found


def _metadata(source: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _SIGNATURE
    for _ in range(_MOST_CHUNKS):
        if at + 12 > len(source):
            return
        length, kind = struct.unpack_from(">I4s", source, at)
        if kind == b"eXIf" or kind in _READERS:
            yield kind, source[at + 8 : at + 8 + length]
        at += 12 + length


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


_READERS = {b"tEXt": _plain, b"zTXt": _packed, b"iTXt": _international}


def _raw_profile(words: str) -> bytes:
    """Return what a "Raw profile" holds: a name and a length in lines of their own, then hexadecimal digits."""
    digits = "".join(words.strip().split("\n")[2:])
    with contextlib.suppress(ValueError):
        return bytes.fromhex(digits)
    return b""
