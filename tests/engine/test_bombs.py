"""Files made of many parts: the time that one takes grows no faster than its parts, and stays small."""

import struct
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from countermark import engine

from tests.engine.carriers import base, in_jpeg, packet
from tests.engine.hostile import (
    PIXELS,
    XMP,
    apng,
    box,
    boxed,
    chunk,
    empty_scans,
    exif_bomb,
    gif,
    gif_blocks,
    nested,
    packed_text,
    page,
    piece,
    scans,
    segment,
    small_png,
    tiff,
    webp,
    with_segments,
)

TIMES = 4
SECONDS = 2.0  # of a processor for the larger one; half a second on a machine of its own


def xmp_of(body: bytes) -> bytes:
    return small_png(chunk(b"iTXt", XMP + packet(body.decode())))


def iptc(count: int) -> bytes:
    sets = b"".join(struct.pack(">BBBH", 0x1C, 2, 25, 4) + b"word" for _ in range(count))
    return with_segments(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + struct.pack(">I", len(sets)) + sets))


def photoshop(count: int) -> bytes:
    blocks = b"".join(b"8BIM\4\x0b\0\0" + struct.pack(">I", 4) + b"word" for _ in range(count))
    return with_segments(segment(0xED, b"Photoshop 3.0\0" + blocks))


def behind_avif(data: bytes) -> bytes:
    return boxed("AVIF", (64, 64), (64, 64)) + data


#: Name -> a maker of a file of so many parts, and how many of them.
BOMBS: dict[str, tuple[Callable[[int], bytes], int]] = {
    "chunks": (lambda n: small_png(chunk(b"prVt", b"") * n), 20_000),
    "texts": (lambda n: small_png(b"".join(packed_text(b"Title%d" % each, 9000) for each in range(n))), 500),
    "chunks of a picture": (lambda n: small_png(last=chunk(b"IDAT", b"") * n), 20_000),
    "frames of a PNG": (lambda n: apng(n, 32, 32), 200),
    "values of EXIF": (lambda n: small_png(chunk(b"eXIf", exif_bomb(24 * n))), 15_000),
    "properties": (lambda n: xmp_of(b"<dc:source>a word</dc:source>" * n), 5000),
    "levels": (lambda n: xmp_of(b"<dc:x>" * n), 10_000),
    "items": (
        lambda n: xmp_of(b"<dc:subject><rdf:Bag>" + b"<rdf:li>x</rdf:li>" * n + b"</rdf:Bag></dc:subject>"),
        9000,
    ),
    "segments": (lambda n: with_segments(segment(0xE5, b"x") * n), 4000),
    "comments": (lambda n: with_segments(segment(0xFE, b"a comment") * n), 4000),
    "filling bytes": (lambda n: with_segments(b"\xff" * n), 200_000),
    "scans": (lambda n: scans(n, 256, 256), 45),
    "empty scans": (lambda n: empty_scans(n, 256, 256), 45),
    "IPTC": (iptc, 1500),
    "Photoshop": (photoshop, 900),
    "frames of a GIF": (lambda n: gif((32, 32), *[(0, 0, 32, 32)] * n), 200),
    "blocks": (gif_blocks, 20_000),
    "pages": (lambda n: tiff(*[page(64, 64)] * n, data=PIXELS), 60),
    "entries": (lambda n: tiff(page(64, 64, *[(40_000 + each, 3, 1, 0) for each in range(n)]), data=PIXELS), 5000),
    "strips": (lambda n: strips(n), 1000),
    "frames of a WebP": (lambda n: webp((32, 32), *[(32, 32)] * n), 200),
    "chunks of a WebP": (lambda n: webp((64, 64), (64, 64)) + piece(b"prVt", b"") * n, 20_000),
    "boxes": (lambda n: behind_avif(box(b"free", b"") * n), 20_000),
    "levels of boxes": (lambda n: behind_avif(nested(n)), 20_000),
}


def strips(count: int) -> bytes:
    """One row in each strip."""
    offsets, lengths = struct.pack(f"<{count}I", *[8] * count), struct.pack(f"<{count}I", *[64] * count)
    at = 8 + len(PIXELS)
    places = (273, 4, count, at), (279, 4, count, at + len(offsets))
    return tiff(page(64, count, *places, (278, 4, 1, 1)), data=PIXELS + offsets + lengths)


def spent(source: bytes) -> float:
    began = time.process_time()
    with suppress(engine.DamagedImage):
        engine.process(source, engine.Options())
    return time.process_time() - began


@pytest.mark.parametrize("name", BOMBS)
def test_time_grows_no_faster_than_parts(name):
    make, count = BOMBS[name]
    small, large = make(count // TIMES), make(count)
    spent(small)
    few, many = min(spent(small) for _ in range(2)), min(spent(large) for _ in range(2))
    assert many < SECONDS
    assert many < 2 * TIMES * few + 0.1


def test_kept_metadata_has_a_bound():
    """Whatever a file brings along, a copy carries little of it."""
    texts = b"".join(packed_text(b"Title%d" % each, 4000) for each in range(400))
    words = b"".join(chunk(b"tEXt", b"Word%d\0" % each + b"a word " * 700) for each in range(400))
    for source in (small_png(texts), small_png(words), in_jpeg(*[segment(0xFE, b"a word " * 9000)] * 50)):
        bare = engine.process(base("PNG"), engine.Options(metadata="none"))
        edited = engine.process(source, engine.Options(metadata="keep"))
        assert len(edited.data) < 2 * len(bare.data) + 2_500_000
