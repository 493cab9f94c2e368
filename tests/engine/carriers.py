"""Files of every format with a picture hidden in every place that is known to carry one.

`sources()` yields them: a base picture in a container, with a payload in a carrier. None of it uses the engine's own
code for metadata.
"""

import base64
import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from tests.engine.profiles import lut

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EXIF_HEAD, XMP_HEAD, PHOTOSHOP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"


class Source(NamedTuple):
    """A file that hides a picture."""

    name: str
    data: bytes
    payload: bytes  # the picture's bytes
    decodable: bool = True  # rows of pixels without a head are found by their bytes alone


def noise(size: tuple[int, int], seed: int) -> Image.Image:
    width, height = size
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


@cache
def payload(form: str) -> bytes:
    """Return the picture that hides: noise, so that no part of it is like anything else."""
    image = noise((40, 36), 7)
    if form == "raw":
        return image.tobytes()
    buffer = BytesIO()
    image.save(buffer, form, **({"quality": 60} if form == "JPEG" else {}))
    return buffer.getvalue()


def base(form: str, **settings: object) -> bytes:
    """Return a picture that hides nothing."""
    ramp = np.linspace(40, 220, 120).astype(np.uint8)
    image = Image.merge("RGB", [Image.fromarray(np.tile(ramp, (80, 1)))] * 3)
    buffer = BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()


# EXIF


def block(directories: list[dict[int, tuple[int, bytes]]], *, nested: dict[int, int] | None = None) -> bytes:
    """Return an EXIF block of directories that are linked, or that tags of the first point to (`nested`).

    A value is its kind and its bytes; a value of None's place is filled with the offset of what follows it.
    """
    nested = nested or {}
    sizes = [2 + 12 * (len(each) + (len(nested) if index == 0 else 0)) + 4 for index, each in enumerate(directories)]
    starts = [8 + sum(sizes[:index]) for index in range(len(directories))]
    behind = 8 + sum(sizes)
    tables, values = b"", b""
    for index, directory in enumerate(directories):
        full = dict(directory)
        for tag, target in nested.items() if index == 0 else ():
            full[tag] = (4, struct.pack(">I", starts[target]))
        table = struct.pack(">H", len(full))
        for tag, (kind, data) in sorted(full.items()):
            if kind == 0:  # an offset: the bytes lie behind, and the tag says where
                table += struct.pack(">HHII", tag, 4, 1, behind + len(values))
                values += data
                continue
            count = len(data) // {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[kind]
            if len(data) <= 4:
                table += struct.pack(">HHI4s", tag, kind, count, data)
            else:
                table += struct.pack(">HHII", tag, kind, count, behind + len(values))
                values += data
        linked = index + 1 < len(directories) and index + 1 not in nested.values()
        tables += table + struct.pack(">I", starts[index + 1] if linked else 0)
    return b"MM\0*" + struct.pack(">I", 8) + tables + values


def long(number: int) -> tuple[int, bytes]:
    return 4, struct.pack(">I", number)


MAKE = {0x010F: (2, b"Countermaker\0")}


def strips() -> dict[int, tuple[int, bytes]]:
    raw = payload("raw")
    return {
        0x0100: long(40),
        0x0101: long(36),
        0x0102: (3, struct.pack(">HHH", 8, 8, 8)),
        0x0103: (3, b"\0\1"),
        0x0106: (3, b"\0\2"),
        0x0111: (0, raw),
        0x0115: (3, b"\0\3"),
        0x0117: long(len(raw)),
    }


def preview() -> dict[int, tuple[int, bytes]]:
    return {0x0201: (0, payload("JPEG")), 0x0202: long(len(payload("JPEG")))}


def notes(data: bytes, make: bytes = b"Countermaker") -> bytes:
    return block([{0x010F: (2, make + b"\0")}, {0x927C: (7, data)}], nested={0x8769: 1})


def directory_notes(head: bytes, tag: int, data: bytes, order: str = ">") -> bytes:
    """Return maker's notes of one directory with one value."""
    at = len(head) + 2 + 12 + 4
    return head + struct.pack(order + "HHHII", 1, tag, 7, len(data), at) + bytes(4) + data


def exif_carriers() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg, raw = payload("JPEG"), payload("raw")
    letters = base64.b64encode(jpeg)
    yield "IFD0's JPEG tags", block([MAKE | preview()]), jpeg, True
    yield "IFD1's JPEG tags", block([MAKE, preview()]), jpeg, True
    yield "IFD2's JPEG tags", block([MAKE, {0x0103: (3, b"\0\6")}, preview()]), jpeg, True
    yield "IFD1's strips", block([MAKE, strips()]), raw, True
    yield "a sub-directory's strips", block([MAKE, strips()], nested={0x014A: 1}), raw, True
    yield "bytes that nothing links", block([MAKE]) + raw, raw, False
    yield "an unknown tag", block([MAKE | {0xC7A1: (7, jpeg)}]), jpeg, True
    yield "a numeric tag", block([MAKE | {0x013E: (1, raw)}]), raw, False
    yield "print matching", block([MAKE | {0xC4A5: (7, b"PrintIM\0" + jpeg)}]), jpeg, True
    yield "the XMP tag in EXIF", block([MAKE | {0x02BC: (1, jpeg)}]), jpeg, True
    yield (
        "the interoperability directory",
        block([MAKE, {0x0001: (2, b"R98\0"), 0x1001: (7, jpeg)}], nested={0xA005: 1}),
        jpeg,
        True,
    )
    yield "the GPS directory", block([MAKE, {0x001B: (7, bytes(8) + letters)}], nested={0x8825: 1}), jpeg, True
    yield "a description in base64", block([{0x010E: (2, letters + b"\0")}]), jpeg, True
    yield (
        "a description in lines of base64",
        block([{0x010E: (2, b"\n".join(letters[at : at + 40] for at in range(0, len(letters), 40)) + b"\0")}]),
        jpeg,
        True,
    )
    packed = base64.b64encode(zlib.compress(jpeg))
    lines = b"\n".join(packed[at : at + 40] for at in range(0, len(packed), 40))
    yield "a description in lines of what is compressed", block([{0x010E: (2, lines + b"\0")}]), jpeg, True
    png = payload("PNG")
    parts = {tag: (7, png[at : at + 100]) for tag, at in zip(range(0xA300, 0xA303), range(0, 300, 100), strict=True)}
    yield "tags beside one another", block([{}, parts], nested={0x8769: 1}), png[:300], True
    odd = {tag: (7, png[at : at + 100]) for tag, at in zip(range(0xA301, 0xA303), range(1, 200, 100), strict=True)}
    odd[0xA300] = (7, bytes(99) + png[:1])
    yield "tags that a head spans", block([{}, odd], nested={0x8769: 1}), png[:200], True
    yield "notes with letters that are compressed", notes(b"notes" + lines), jpeg, True
    yield "a description as it is", block([{0x010E: (2, jpeg)}]), jpeg, True
    yield "Windows' comment", block([{0x9C9C: (1, letters.decode().encode("utf-16-le"))}]), jpeg, True
    yield "the user's comment", block([{}, {0x9286: (7, b"ASCII\0\0\0" + letters)}], nested={0x8769: 1}), jpeg, True
    yield (
        "the user's comment in hexadecimal digits",
        block([{}, {0x9286: (7, bytes(8) + payload("GIF").hex().encode())}], nested={0x8769: 1}),
        payload("GIF"),
        True,
    )
    yield "notes that are a JPEG file", notes(jpeg), jpeg, True
    yield "notes that are a PNG file", notes(payload("PNG")), payload("PNG"), True
    yield "notes with something compressed", notes(b"notes" + zlib.compress(jpeg)), jpeg, True
    for way, packed_notes in (
        ("bzip2", bz2.compress(jpeg)),
        ("xz", lzma.compress(jpeg)),
        ("bare deflate", zlib.compress(jpeg, wbits=-15)),
    ):
        yield f"notes in {way}", notes(b"notes" + packed_notes), jpeg, way != "bare deflate"
    canon = [directory_notes(b"", 0x4001, pack(jpeg), "<") for pack in (bz2.compress, lzma.compress)]
    yield "Canon's notes in bzip2", notes(canon[0], b"Canon"), jpeg, True
    yield "Canon's notes in xz", notes(canon[1], b"Canon"), jpeg, True
    yield "notes of raw rows", notes(b"notes" + raw), raw, False
    yield "notes with base64", notes(b"notes" + letters), jpeg, True
    nikon = b"Nikon\0\2\x10\0\0MM\0*\0\0\0\x08"
    yield "Nikon's notes", notes(directory_notes(nikon, 0x0011, jpeg), b"NIKON CORPORATION"), jpeg, True
    yield "Casio's notes", notes(directory_notes(b"QVC\0\0\0", 0x2000, jpeg), b"CASIO COMPUTER"), jpeg, True
    yield "Pentax's notes", notes(directory_notes(b"AOC\0MM", 0x0003, jpeg), b"PENTAX"), jpeg, True
    yield "Olympus's notes", notes(directory_notes(b"OLYMP\0\1\0", 0x0100, jpeg), b"OLYMPUS"), jpeg, True
    yield (
        "Olympus's notes without a head",
        notes(directory_notes(b"OLYMPUS\0II\3\0", 0x0100, raw, "<"), b"OLYMPUS"),
        raw,
        False,
    )
    yield "Sony's notes", notes(directory_notes(b"SONY DSC \0\0\0", 0x2001, jpeg), b"SONY"), jpeg, True
    changed = b"\2" + jpeg[1:]
    yield "Minolta's notes", notes(directory_notes(b"", 0x0088, changed), b"Minolta Co., Ltd."), changed, True
    for make, head in ((b"Canon", b""), (b"SONY", b"SONY DSC \0\0\0"), (b"NIKON CORPORATION", nikon)):
        yield f"rows in notes of {make.decode()}", notes(directory_notes(head, 0x4444, raw), make), raw, False
        rows = directory_notes(head, 0x4444, b"x" * 8) + raw
        yield f"rows behind notes of {make.decode()}", notes(rows, make), raw, False
    yield "rows where Canon's notes have no directory", notes(bytes(2) + raw, b"Canon"), raw, False
    yield "Samsung's notes", notes(directory_notes(b"", 0x0035, jpeg), b"SAMSUNG"), jpeg, True


# XMP


def packet(inside: str, attributes: str = "", encoding: str = "utf-8") -> bytes:
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        f'xmlns:rdf="{RDF}"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:other="http://ns.adobe.com/xap/1.0/" '
        f'xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/" xmlns:GImage="http://ns.google.com/photos/1.0/image/" '
        f'xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" {attributes}>{inside}'
        f"</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode(encoding)


def thumbnails(prefix: str, letters: str) -> str:
    return (
        f'<{prefix}:Thumbnails><rdf:Alt><rdf:li rdf:parseType="Resource"><xmpGImg:width>40</xmpGImg:width>'
        f"<xmpGImg:image>{letters}</xmpGImg:image></rdf:li></rdf:Alt></{prefix}:Thumbnails>"
    )


def xmp_carriers() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg = payload("JPEG")
    letters = base64.b64encode(jpeg).decode()
    lines = "&#xA;".join(letters[at : at + 76] for at in range(0, len(letters), 76))
    spaced = " ".join(letters[at : at + 8] for at in range(0, len(letters), 8))
    safe = letters.replace("+", "-").replace("/", "_")
    packed = base64.b64encode(zlib.compress(jpeg)).decode()
    groups = " ".join(packed[at : at + 6] for at in range(0, len(packed), 6))
    yield "dc:description in groups", packet(f"<dc:description>{groups}</dc:description>"), jpeg, True
    letters_alone = letters.replace("+", "-").replace("/", "_").replace("=", "")
    yield "the name of a property", packet(f"<crs:x{letters_alone}>1</crs:x{letters_alone}>"), jpeg, True
    yield "GImage:Data", packet("", f'GImage:Mime="image/jpeg" GImage:Data="{letters}"'), jpeg, True
    yield "xmp:Thumbnails", packet(thumbnails("xmp", lines)), jpeg, True
    yield "thumbnails by another name", packet(thumbnails("other", letters)), jpeg, True
    yield "xmp:PageInfo", packet(thumbnails("xmp", letters).replace("Thumbnails", "PageInfo")), jpeg, True
    yield "XMP in UTF-16", packet(thumbnails("xmp", letters), encoding="utf-16"), jpeg, True
    yield "XMP in UTF-32", packet(thumbnails("xmp", letters), encoding="utf-32"), jpeg, True
    yield (
        "dc:description",
        packet(f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{letters}</rdf:li></rdf:Alt></dc:description>'),
        jpeg,
        True,
    )
    yield "dc:description in lines", packet(f"<dc:description>{lines}</dc:description>"), jpeg, True
    yield "dc:description with spaces", packet(f"<dc:description>{spaced}</dc:description>"), jpeg, True
    yield "dc:source for addresses", packet("", f'dc:source="{safe}"'), jpeg, True
    yield "dc:source in hexadecimal digits", packet("", f'dc:source="{payload("GIF").hex()}"'), payload("GIF"), True
    yield "CDATA", packet(f"<dc:source><![CDATA[{letters}]]></dc:source>"), jpeg, True
    yield "a comment in XMP", packet(f"<!-- {letters} --><dc:source>x</dc:source>"), jpeg, True
    yield "a processing instruction", packet(f"<?picture {letters}?><dc:source>x</dc:source>"), jpeg, True
    yield (
        "a structure",
        packet(f'<crs:Look rdf:parseType="Resource"><crs:Name>x</crs:Name><crs:Table>{letters}</crs:Table></crs:Look>'),
        jpeg,
        True,
    )
    yield "behind XMP", packet("<dc:source>x</dc:source>") + letters.encode(), jpeg, True
    yield (
        "an entity",
        (f'<!DOCTYPE x [<!ENTITY p "{letters}">]>'.encode() + packet("<dc:source>&p;</dc:source>").split(b"?>", 1)[1]),
        jpeg,
        True,
    )


# ICC


@cache
def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def with_tag(name: bytes, data: bytes) -> bytes:
    """Return the sRGB profile with one more tag."""
    profile = srgb()
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * index) for index in range(count)]
    table = b"".join(struct.pack(">4sII", tag, at + 12, length) for tag, at, length in entries)
    behind = profile[132 + 12 * count :]
    at = len(profile) + 12
    table += struct.pack(">4sII", name, at, len(data))
    result = profile[:128] + struct.pack(">I", count + 1) + table + behind + data + bytes(-len(data) % 4)
    return struct.pack(">I", len(result)) + result[4:]


def icc_carriers() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg = payload("JPEG")
    letters = base64.b64encode(jpeg)
    yield "a false profile", bytes(16) + b"RGB " + bytes(16) + b"acsp" + bytes(88) + jpeg, jpeg, True
    yield "a tag of one's own in a profile", with_tag(b"mine", b"data" + bytes(8) + jpeg), jpeg, True
    yield "a known tag in a profile", with_tag(b"targ", b"text" + bytes(4) + jpeg), jpeg, True
    yield "a text in a profile", with_tag(b"targ", b"text" + bytes(4) + letters + b"\0"), jpeg, True
    packed = base64.b64encode(zlib.compress(jpeg))
    yield "a packed text in a profile", with_tag(b"targ", b"text" + bytes(4) + packed + b"\0"), jpeg, True
    yield "a table in a profile", with_tag(b"A2B0", b"mft2" + bytes(48) + jpeg), jpeg, True
    raw = payload("raw")
    for tag in (b"MS00", b"meta", b"vcgt", b"targ", b"ps2s", b"pseq", b"dmdd"):
        yield f"rows in a profile's {tag.decode()}", with_tag(tag, tag + bytes(4) + raw), raw, False
    table = np.frombuffer(raw, np.uint8)[: 11**3 * 3].reshape(11, 11, 11, 3) / 255
    yield "a table that is a picture", with_tag(b"A2B0", lut(b"mft1", 3, 3, 11, table)), raw[:3000], False
    words = b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", 4, 28 + len(raw)) + raw + b"\0h\0i"
    yield "a gap in a profile's text", with_tag(b"dmnd", words), raw, False
    gap = srgb() + payload("raw")
    yield "a gap in a profile", struct.pack(">I", len(gap)) + gap[4:], payload("raw"), False
    yield "behind a profile", srgb() + jpeg, jpeg, True


# Containers


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def in_jpeg(*segments: bytes, data: bytes | None = None) -> bytes:
    """Return a JPEG file with segments behind its JFIF one."""
    data = base("JPEG", quality=90) if data is None else data
    at = 4 + struct.unpack_from(">H", data, 4)[0]
    return data[:at] + b"".join(segments) + data[at:]


def profile_segments(profile: bytes) -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0\1\1" + profile)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield every chunk of a file, its checksum looked at."""
    at = 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size) == (zlib.crc32(kind + content),)
        yield kind, content
        at += 12 + size
    assert at == len(data)


def in_png(*chunks: bytes, behind: bool = False) -> bytes:
    data = base("PNG")
    at = data.rindex(b"IEND") - 4 if behind else 33
    return data[:at] + b"".join(chunks) + data[at:]


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a WebP file with more chunks."""
    plain = base("WEBP", lossless=True)
    flags = {b"EXIF": 8, b"XMP ": 4, b"ICCP": 32}
    head = struct.pack("<II", sum(flags.get(kind, 0) for kind, _ in chunks), 0)[:4] + b"\x77\0\0\x4f\0\0"
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + head
    before = [each for each in chunks if each[0] == b"ICCP"]
    for kind, data in before:
        body += kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    body += plain[12:]
    for kind, data in chunks:
        if kind != b"ICCP":
            body += kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def in_tiff(
    tags: dict[int, tuple[int, bytes]],
    *,
    other: dict[int, tuple[int, bytes]] | None = None,
    tag: int = 0x014A,
    gap: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """Return a TIFF file of one strip with more tags, and another directory that a tag points to."""
    image = Image.open(BytesIO(base("PNG"))).convert("RGB")
    raw = image.tobytes()
    own = {
        0x0100: long(image.width),
        0x0101: long(image.height),
        0x0102: (3, struct.pack(">HHH", 8, 8, 8)),
        0x0103: (3, b"\0\1"),
        0x0106: (3, b"\0\2"),
        0x0111: (0, raw + gap),
        0x0115: (3, b"\0\3"),
        0x0116: long(image.height),
        0x0117: long(len(raw)),
    }
    return block([own | tags, other] if other else [own | tags], nested={tag: 1} if other else None) + behind


def heif(**settings: object) -> bytes:
    image = Image.open(BytesIO(base("PNG"))).convert("RGB")
    buffer = BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=80, **settings)
    return buffer.getvalue()


def resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)


def data_set(record: int, number: int, data: bytes) -> bytes:
    if len(data) < 0x8000:
        return struct.pack(">BBBH", 0x1C, record, number, len(data)) + data
    return struct.pack(">BBBHI", 0x1C, record, number, 0x8004, len(data)) + data


def resources() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg, raw = payload("JPEG"), payload("raw")
    head = struct.pack(">IIIIIIHH", 1, 40, 36, 120, len(raw), len(jpeg), 24, 1)
    yield "8BIM 1033", resource(1033, head + jpeg), jpeg, True
    yield "8BIM 1036", resource(1036, head + jpeg), jpeg, True
    yield "8BIM 1036, not compressed", resource(1036, bytes(4) + head[4:] + raw), raw, False
    yield "8BIM 1058", resource(1058, block([MAKE, preview()])), jpeg, True
    yield "8BIM 1060", resource(1060, packet(thumbnails("xmp", base64.b64encode(jpeg).decode()))), jpeg, True
    yield "8BIM 4000", resource(4000, b"mine" + jpeg), jpeg, True
    yield "8BIM 1035", resource(1035, b"https://example.com/" + base64.b64encode(jpeg)), jpeg, True
    yield "IPTC's preview", resource(1028, data_set(2, 202, jpeg)), jpeg, True
    yield "an IPTC caption", resource(1028, data_set(2, 120, base64.b64encode(jpeg))), jpeg, True
    yield "IPTC's record 7", resource(1028, data_set(7, 10, jpeg)), jpeg, True


def jpeg_segments() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg, raw = payload("JPEG"), payload("raw")
    letters = base64.b64encode(jpeg)
    for marker in (
        0xE1,
        0xE2,
        0xE3,
        0xE4,
        0xE5,
        0xE6,
        0xE7,
        0xE8,
        0xE9,
        0xEA,
        0xEB,
        0xEC,
        0xED,
        0xEF,
    ):
        yield f"segment {marker:02X}", segment(marker, b"MINE\0" + jpeg), jpeg, True
    yield "C2PA", segment(0xEB, b"JP\0\1\0\0\0\1" + struct.pack(">I", len(jpeg) + 8) + b"jumb" + jpeg), jpeg, True
    yield "FPXR", segment(0xE2, b"FPXR\0\0\2" + jpeg), jpeg, True
    yield "FLIR", segment(0xE1, b"FLIR\0\1\0\0" + payload("PNG")), payload("PNG"), True
    yield "JFXX", segment(0xE0, b"JFXX\0\x10" + jpeg), jpeg, True
    yield "JFXX, not compressed", segment(0xE0, b"JFXX\0\x13\x28\x24" + raw), raw, False
    yield "Adobe's segment", segment(0xEE, b"Adobe\0d\0\0\0\0\1" + jpeg), jpeg, True
    yield "a false Adobe segment", segment(0xEE, b"Ducky\0" + jpeg), jpeg, True
    yield (
        "extended XMP",
        segment(
            0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">II", len(letters), 0) + letters
        ),
        jpeg,
        True,
    )
    yield "a comment as it is", segment(0xFE, jpeg), jpeg, True
    yield "a comment in base64", segment(0xFE, letters), jpeg, True
    yield "a comment in hexadecimal digits", segment(0xFE, payload("GIF").hex().encode()), payload("GIF"), True
    packed = base64.b64encode(zlib.compress(jpeg))
    yield "a comment that is compressed", segment(0xFE, packed), jpeg, True
    yield (
        "a comment in lines",
        segment(0xFE, b"\r\n".join(letters[at : at + 40] for at in range(0, len(letters), 40))),
        jpeg,
        True,
    )


def tables(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield segments of tables that no picture uses: divisors, and codes."""
    pieces = [raw[at : at + 64].ljust(64, b"\1") for at in range(0, len(raw), 64)]
    yield "tables of divisors", b"".join(segment(0xDB, b"\3" + piece) for piece in pieces)
    counts = bytes([0] * 6 + [64] + [0] * 9)
    yield "tables of codes", b"".join(segment(0xC4, b"\x13" + counts + piece) for piece in pieces)


def jpeg_files() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg = payload("JPEG")
    plain = base("JPEG", quality=90)
    yield (
        "JFIF's thumbnail",
        plain[:4]
        + struct.pack(">H", 16 + len(payload("raw")))
        + plain[6:18]
        + b"\x28\x24"
        + payload("raw")
        + plain[20:],
        payload("raw"),
        False,
    )
    yield "behind the end", plain + jpeg, jpeg, True
    pictures = BytesIO()
    Image.open(BytesIO(plain)).save(pictures, "MPO", save_all=True, append_images=[noise((40, 36), 7)])
    yield "a second picture", pictures.getvalue(), pictures.getvalue()[-len(jpeg) // 2 :], True
    raw = payload("raw").replace(b"\xff", b"\xfe")
    yield "before the end", plain[:-2] + raw + plain[-2:], raw, False
    scans = base("JPEG", quality=90, progressive=True)
    second = scans.index(b"\xff\xda", scans.index(b"\xff\xda") + 2)
    for marker in (0xEB, 0xFE, 0xE1):
        yield (
            f"segment {marker:02X} between scans",
            scans[:second] + segment(marker, b"x" + jpeg) + scans[second:],
            jpeg,
            True,
        )
    for name, found in tables(raw):
        yield name, in_jpeg(found), raw, False
        yield f"{name}, progressive", in_jpeg(found, data=scans), raw, False
        yield f"{name} between scans", scans[:second] + found + scans[second:], raw, False
    both = resource(1036, b"x" * 28 + jpeg)
    half = len(both) // 2
    yield (
        "8BIM over two segments",
        in_jpeg(segment(0xED, PHOTOSHOP + both[:half]), segment(0xED, PHOTOSHOP + both[half:])),
        jpeg,
        False,
    )
    yield (
        "EXIF twice",
        in_jpeg(segment(0xE1, EXIF_HEAD + block([MAKE])), segment(0xE1, EXIF_HEAD + block([MAKE, preview()]))),
        jpeg,
        True,
    )


def png_files() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg = payload("JPEG")
    letters = base64.b64encode(jpeg)
    profile = f"\nexif\n{len(jpeg):8}\n" + "\n".join(
        (EXIF_HEAD + block([MAKE, preview()])).hex()[at : at + 72]
        for at in range(0, 2 * len(block([MAKE, preview()])), 72)
    )
    yield "tEXt", in_png(chunk(b"tEXt", b"Comment\0" + letters)), jpeg, True
    yield "zTXt", in_png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(letters))), jpeg, True
    yield "iTXt", in_png(chunk(b"iTXt", b"Comment\0\0\0\0\0" + letters)), jpeg, True
    yield (
        "packed iTXt behind",
        in_png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(letters)), behind=True),
        jpeg,
        True,
    )
    yield "tEXt's name", in_png(chunk(b"tEXt", letters[:79] + b"\0x")), jpeg[:50], False
    yield "a raw profile", in_png(chunk(b"tEXt", b"Raw profile type exif\0" + profile.encode())), jpeg, True
    yield (
        "a raw profile of one's own",
        in_png(chunk(b"zTXt", b"Raw profile type mine\0\0" + zlib.compress(jpeg.hex().encode()))),
        jpeg,
        True,
    )
    yield "caBX", in_png(chunk(b"caBX", jpeg)), jpeg, True
    yield "a chunk of one's own", in_png(chunk(b"miNe", jpeg), behind=True), jpeg, True
    for kind in (b"sPLT", b"tIME", b"bKGD", b"hIST", b"dSIG", b"sTER", b"vpAg", b"iDOT", b"fdAT", b"oFFs", b"cHRM"):
        yield f"a chunk {kind.decode()}", in_png(chunk(kind, jpeg)), jpeg, True
    raw = payload("raw")
    yield "a palette that no pixel has", in_png(chunk(b"PLTE", raw[:768])), raw[:768], False
    yield "an ICC chunk with more", in_png(chunk(b"iCCP", b"icc\0\0" + zlib.compress(srgb()) + raw)), raw, False
    plain = base("PNG")
    end = plain.rindex(b"IDAT") + 4 + struct.unpack_from(">I", plain, plain.rindex(b"IDAT") - 4)[0]
    yield "behind the pixels of PNG", plain[: end + 4] + chunk(b"IDAT", raw) + plain[end + 4 :], raw, False
    yield "between the pixels of PNG", plain[: end + 4] + chunk(b"prIv", raw) + plain[end + 4 :], raw, False
    yield "in IEND", plain[:-12] + chunk(b"IEND", raw), raw, False
    yield "behind IEND", base("PNG") + jpeg, jpeg, True
    yield "eXIf behind the picture", in_png(chunk(b"eXIf", block([MAKE, preview()])), behind=True), jpeg, True


def gif_files() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg, plain = payload("JPEG"), base("GIF")

    def blocks(data: bytes) -> bytes:
        parts = [data[at : at + 255] for at in range(0, len(data), 255)]
        return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"

    at = 13 + 3 * (2 << (plain[10] & 7))
    letters = base64.b64encode(jpeg)
    for name, extension in (
        ("a comment in GIF", b"!\xfe" + blocks(letters)),
        ("a plain comment in GIF", b"!\xfe" + blocks(jpeg)),
        ("an extension of GIF", b"!\xff\x0bMINE    1.0" + blocks(jpeg)),
        (
            "XMP in GIF",
            b"!\xff\x0bXMP DataXMP" + packet(thumbnails("xmp", letters.decode())) + bytes((1, *range(255, -1, -1), 0)),
        ),
    ):
        yield name, plain[:at] + extension + plain[at:], jpeg, False
    yield "behind GIF", plain + jpeg, jpeg, True


def tiff_files() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg = payload("JPEG")
    yield "TIFF's unknown tag", in_tiff({0xC7A1: (7, jpeg)}), jpeg, True
    yield "TIFF's JPEG tags", in_tiff({0x0201: (0, jpeg), 0x0202: long(len(jpeg))}), jpeg, True
    yield "TIFF's description", in_tiff({0x010E: (2, base64.b64encode(jpeg) + b"\0")}), jpeg, True
    yield (
        "TIFF's image source data",
        in_tiff({0x935C: (7, b"Adobe Photoshop Document Data Block\0" + jpeg)}),
        jpeg,
        True,
    )
    raw = payload("raw")
    yield "TIFF's other directory", in_tiff({}, other=strips()), raw, False
    yield "TIFF's other directory with a JPEG file", in_tiff({}, other=preview()), jpeg, True
    for tag in (0x0190, 0x8769, 0x8825):
        yield f"TIFF's directory {tag:04X}", in_tiff({}, other=strips(), tag=tag), raw, False
    for tag in (0x015B, 0x0121, 0x0120, 0x00FE, 0x014D, 0x0151, 0x84E0, 0x8773, 0xC634, 0xC68B, 0xC4A5, 0xFDE8):
        yield f"TIFF's tag {tag:04X}", in_tiff({tag: (7, raw)}), raw, False
    yield "between TIFF's parts", in_tiff({}, gap=raw), raw, False
    yield "behind TIFF", in_tiff({}, behind=jpeg), jpeg, True
    yield "TIFF's IPTC", in_tiff({0x83BB: (7, data_set(2, 202, jpeg))}), jpeg, True


def other_files() -> Iterator[tuple[str, bytes, bytes, bool]]:
    jpeg, raw = payload("JPEG"), payload("raw")
    moving = BytesIO()
    pages = [noise((80, 60), seed) for seed in (1, 2)]
    pages[0].save(moving, "WEBP", save_all=True, append_images=pages[1:], lossless=True)
    for kind in (b"JUNK", b"ANMF", b"ALPH", b"mine", b"ANIM"):
        yield f"{kind.decode()} in WebP", riff((kind, raw)), raw, False
    yield "behind WebP", riff((b"mine", b"x")) + jpeg, jpeg, True
    yield "behind a moving WebP", moving.getvalue() + jpeg, jpeg, True
    bitmap = base("BMP")
    begins = struct.unpack_from("<I", bitmap, 10)[0]
    farther = bitmap[:10] + struct.pack("<I", begins + len(raw)) + bitmap[14:begins] + raw + bitmap[begins:]
    yield "before BMP's pixels", farther, raw, False
    yield "behind BMP", bitmap + jpeg, jpeg, True


def boxed_files() -> Iterator[tuple[str, bytes, bytes, bool]]:
    """Yield HEIC and AVIF files with other pictures, and with boxes of one's own."""
    jpeg, large = payload("JPEG"), noise((96, 72), 7)
    for form, plain in (("HEIC", heif()), ("AVIF", base("AVIF", speed=10))):
        for kind in (b"free", b"skip", b"uuid", b"mdat", b"jumb", b"moov", b"mine"):
            box = struct.pack(">I", len(jpeg) + 8) + kind + jpeg
            yield f"a box {kind.decode()} in {form}", plain + box, jpeg, True
            at = struct.unpack_from(">I", plain)[0]
            if kind != b"moov":  # a place in the file would be wrong
                yield f"a box {kind.decode()} of {form} in front", _moved(plain, at, box), jpeg, True
    image = pillow_heif.from_pillow(Image.open(BytesIO(base("PNG"))).convert("RGB"))
    image.add_from_pillow(large)
    buffer = BytesIO()
    image.save(buffer, quality=90, save_all=True, primary_index=0)
    coded = buffer.getvalue()
    yield "a second picture in HEIC", coded, coded[-len(jpeg) :], False


def _moved(plain: bytes, at: int, box: bytes) -> bytes:
    """Return a file with a box behind its first one, in which what `iloc` says of places is right again."""
    data = bytearray(plain[:at] + box + plain[at:])
    where = data.index(b"iloc", at + len(box)) + 4
    version, sizes = data[where], data[where + 4]
    of_offset, of_length, of_base = sizes >> 4, sizes & 15, data[where + 5] >> 4
    (count,), place = struct.unpack_from(">H", data, where + 6), where + 8
    for _ in range(count):
        inner = version and data[place + 3] & 15
        place += 6 if version else 4
        extents = place + of_base + 2
        for start, size in ((place, of_base), (extents, of_offset)) if not inner else ():
            value = int.from_bytes(data[start : start + size], "big")
            if size and (value or start == extents):
                data[start : start + size] = (value + len(box)).to_bytes(size, "big")
                break
        (number,) = struct.unpack_from(">H", data, extents - 2)
        place = extents + number * (of_offset + of_length)
    return bytes(data)


Carrier = tuple[str, bytes, bytes, bool]
_EXIF_IN: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": lambda data: in_jpeg(segment(0xE1, EXIF_HEAD + data)),
    "progressive JPEG": lambda data: in_jpeg(segment(0xE1, EXIF_HEAD + data), data=base("JPEG", progressive=True)),
    "PNG": lambda data: in_png(chunk(b"eXIf", data)),
    "WebP": lambda data: riff((b"EXIF", data)),
    "AVIF": lambda data: base("AVIF", speed=10, exif=data),
    "HEIC": lambda data: heif(exif=EXIF_HEAD + data),
}
_XMP_IN: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": lambda data: in_jpeg(segment(0xE1, XMP_HEAD + data)),
    "PNG": lambda data: in_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + data)),
    "WebP": lambda data: riff((b"XMP ", data)),
    "AVIF": lambda data: base("AVIF", speed=10, xmp=data),
    "HEIC": lambda data: heif(xmp=data),
    "TIFF": lambda data: in_tiff({0x02BC: (1, data)}),
}
_ICC_IN: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": lambda data: in_jpeg(profile_segments(data)),
    "PNG": lambda data: in_png(chunk(b"iCCP", b"icc\0\0" + zlib.compress(data))),
    "WebP": lambda data: riff((b"ICCP", data)),
    "AVIF": lambda data: base("AVIF", speed=10, icc_profile=data),
    "TIFF": lambda data: in_tiff({0x8773: (7, data)}),
}
_SEGMENT_IN: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": in_jpeg,
    "progressive JPEG": lambda data: in_jpeg(data, data=base("JPEG", progressive=True)),
}
_RESOURCES_IN: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": lambda data: in_jpeg(segment(0xED, PHOTOSHOP + data)),
    "TIFF": lambda data: in_tiff({0x8649: (1, data)}),
}
_AS_IT_IS: dict[str, Callable[[bytes], bytes]] = {"": lambda data: data}
KINDS: tuple[tuple[Callable[[], Iterator[Carrier]], dict[str, Callable[[bytes], bytes]]], ...] = (
    (exif_carriers, _EXIF_IN),
    (xmp_carriers, _XMP_IN),
    (icc_carriers, _ICC_IN),
    (resources, _RESOURCES_IN),
    (jpeg_segments, _SEGMENT_IN),
    (jpeg_files, _AS_IT_IS),
    (png_files, _AS_IT_IS),
    (gif_files, _AS_IT_IS),
    (tiff_files, _AS_IT_IS),
    (other_files, _AS_IT_IS),
    (boxed_files, _AS_IT_IS),
)


def sources() -> Iterator[Source]:
    """Yield a file for every carrier in every container that may have it."""
    for carriers, containers in KINDS:
        for name, data, hidden, decodable in carriers():
            for container, put in containers.items():
                yield Source(f"{name} in {container}" if container else name, put(data), hidden, decodable)


def traces(hidden: bytes) -> list[bytes]:
    """Return parts of a picture's bytes as they would be found in a file: as they are, in base64, as digits."""
    found = []
    # The tables before its scan are those of many a JPEG file.
    begins = hidden.find(b"\xff\xda") + 14 if b"\xff\xda" in hidden else 24
    for at in range(begins, len(hidden) - 60, 97):
        part = hidden[at : at + 30]
        found += [part[:16], part.hex().encode(), part.hex().upper().encode()]
        found += [base64.b64encode(part[phase : phase + 24])[:-2] for phase in range(3)]
    return found
