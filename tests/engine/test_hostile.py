"""Files that mean harm, or are broken: each ends in a typed error or a picture, soon and in little memory."""

import struct
import time
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from PIL import Image

from tests.engine.hostile import (
    PIXELS,
    after_brand,
    apng,
    bmp,
    box,
    boxed,
    chunk,
    empty_scans,
    exif_in_segments,
    gif,
    gif_blocks,
    grid,
    jpeg_of,
    nested,
    one_table_many_pages,
    packed_text,
    page,
    piece,
    png,
    scans,
    segment,
    small_png,
    tiff,
    track,
    webp,
    with_segments,
)

LIMITS = engine.Limits(max_pixels=2_000_000, max_frames=50, max_bytes=5_000_000, seconds=20)


def frames(count: int, size: int) -> bytes:
    buffer = BytesIO()
    images = [Image.new("L", (size, size), number % 255) for number in range(count)]
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], optimize=False)
    return buffer.getvalue()


def endless_tiff() -> bytes:
    """A TIFF whose directory is followed by itself."""
    buffer = BytesIO()
    Image.new("L", (8, 8)).save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    return bytes(data)


REFUSED: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "png of 4 billion pixels": (lambda: png(65_000, 65_000, b"\0"), {"too_many_pixels"}),
    "png with fewer rows": (lambda: png(500, 500, b"\0" * 100), {"truncated_image", "damaged_image"}),
    "png without pixels": (lambda: png(0, 0, b""), {"damaged_image"}),
    "png of an unknown kind": (lambda: png(4, 4, b"\0" * 90, kind=5), {"damaged_image"}),
    "png of chunks alone": (lambda: small_png(chunk(b"prVt", b"") * 200_000), {"damaged_image"}),
    "png with a frame larger than it": (lambda: apng(3, 64, 64, claimed=(3000, 3000)), {"too_many_pixels"}),
    "jpeg of 4 billion pixels": (lambda: jpeg_of(65_500, 65_500), {"too_many_pixels"}),
    "jpeg without pixels": (lambda: jpeg_of(0, 16), {"damaged_image"}),
    "jpeg of thousands of scans": (lambda: scans(6000, 256, 256), {"damaged_image"}),
    "jpeg of thousands of empty scans": (lambda: empty_scans(9000, 64, 64), {"damaged_image"}),
    "jpeg of segments alone": (lambda: with_segments(segment(0xE5, b"") * 50_000), {"damaged_image"}),
    "jpeg filled up": (lambda: with_segments(b"\xff" * 2_000_000), {"damaged_image"}),
    "jpeg with junk": (lambda: with_segments(segment(0xE5, b"") + bytes(2_000_000)), {"damaged_image"}),
    "jpeg with a large exif": (lambda: exif_in_segments(2_000_000), {"damaged_image"}),
    "gif of too many frames": (lambda: frames(60, 8), {"too_many_frames"}),
    "gif of too many pixels": (lambda: frames(40, 300), {"too_many_pixels"}),
    "gif of a few bytes and many pixels": (lambda: gif((1, 1), (0, 0, 30_000, 30_000)), {"too_many_pixels"}),
    "gif with a large second frame": (lambda: gif((9, 9), (0, 0, 9, 9), (0, 0, 2000, 2000)), {"too_many_pixels"}),
    "gif of short blocks": (lambda: gif_blocks(500_000), {"damaged_image"}),
    "gif cut off": (lambda: frames(3, 64)[:-90], {"truncated_image", "damaged_image"}),
    "webp of 270 million pixels": (lambda: webp((16_383, 16_383)), {"too_many_pixels"}),
    "webp with a large frame": (lambda: webp((64, 64), (2000, 2000)), {"too_many_pixels"}),
    "webp of chunks alone": (lambda: webp((9, 9), (9, 9)) + piece(b"prVt", b"") * 200_000, {"damaged_image"}),
    "avif of nothing": (lambda: b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(40), {"damaged_image"}),
    "avif that says less": (lambda: boxed("AVIF", (2000, 1500), (64, 64)), {"too_many_pixels"}),
    "avif of one tile": (lambda: after_brand(b"avif", grid(b"av01", 9000, (1000, 1000))), {"damaged_image"}),
    "avif of frames": (lambda: after_brand(b"avis", track(4_000_000_000)), {"too_many_frames"}),
    "avif of boxes in boxes": (lambda: after_brand(b"avif", nested(100_000)), {"damaged_image"}),
    "heic of nothing": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), {"damaged_image"}),
    "heic that says less": (lambda: boxed("HEIF", (1500, 1400), (64, 64)), {"too_many_pixels"}),
    "heic of one tile": (lambda: after_brand(b"heic", grid(b"hvc1", 9000, (1000, 1000))), {"damaged_image"}),
    "heic of boxes alone": (lambda: after_brand(b"heic", box(b"free", b"") * 200_000), {"damaged_image"}),
    "bmp of 4 billion pixels": (lambda: bmp(65_000, 65_000, b"", coded=0), {"too_many_pixels"}),
    "bmp of runs": (lambda: bmp(1000, 1000, b"\1\x80" * 4_200_000), {"damaged_image", "file_too_large"}),
    "tiff of one directory": (lambda: b"II*\0\x08\0\0\0\0\0\0\0\0\0", {"damaged_image"}),
    "tiff with a large second page": (
        lambda: tiff(page(64, 64), page(30_000, 30_000), data=PIXELS),
        {"too_many_pixels"},
    ),
    "tiff with a large tile": (
        lambda: tiff(page(64, 64, (322, 4, 1, 30_000), (323, 4, 1, 30_000), coded=8), data=PIXELS),
        {"too_many_pixels"},
    ),
    "tiff with many samples": (lambda: tiff(page(64, 64, (277, 3, 1, 60_000)), data=PIXELS), {"damaged_image"}),
    "tiff of strips": (lambda: tiff(page(64, 64, (273, 4, 600_000, 8)), data=bytes(2_400_000)), {"damaged_image"}),
    "tiff of pages": (lambda: tiff(*[page(8, 8)] * 200, data=PIXELS), {"too_many_frames"}),
    "tiff of entries": (lambda: one_table_many_pages(40, 60_000), {"damaged_image"}),
    "tiff of one value": (
        lambda: tiff(page(64, 64, *[(50_000 + each, 7, 900_000, 8) for each in range(99)]), data=bytes(900_000)),
        {"damaged_image"},
    ),
    "a page": (lambda: b"<!doctype html><html>", {"not_an_image"}),
    "a script": (lambda: b"#!/bin/sh\nrm -rf /", {"not_an_image"}),
    "postscript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", {"not_an_image"}),
    "svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', {"unsupported_format"}),
    "zeros": (lambda: bytes(10_000), {"not_an_image"}),
}


def outcome(source: bytes) -> engine.Edited | engine.ImageError:
    try:
        return engine.process(source, engine.Options(), limits=LIMITS)
    except engine.ImageError as error:
        return error


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_soon(name):
    make, codes = REFUSED[name]
    source = make()
    began = time.process_time()
    with pytest.raises(engine.ImageError) as caught:
        engine.process(source, engine.Options(), limits=LIMITS)
    assert caught.value.code in codes
    assert str(caught.value).endswith(".")
    assert time.process_time() - began < 1.0  # a tenth of it at most, on a machine of its own


def test_a_text_that_unpacks_to_much_is_not_unpacked():
    edited = engine.process(small_png(packed_text(b"Comment", 200_000_000)), engine.Options(), limits=LIMITS)
    assert len(edited.data) < 10_000


def test_a_directory_that_follows_itself_does_not_hang():
    edited = engine.process(endless_tiff(), engine.Options(), limits=LIMITS)
    assert (edited.format, edited.width, edited.height) == ("TIFF", 8, 8)


def test_a_photograph_whose_end_was_never_written_is_marked_as_far_as_it_goes():
    edited = engine.process(jpeg_of(1000, 1000), engine.Options(), limits=LIMITS)
    assert (edited.width, edited.height) == (1000, 1000)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "AVIF", "TIFF", "GIF", "BMP", "HEIF"])
def test_a_file_cut_or_overwritten_anywhere_is_marked_or_refused(make, form):
    whole = make(form, size=(96, 64))
    noise = np.random.default_rng(1)
    for part in range(24):
        at = len(whole) * part // 24
        for source in (whole[:at], whole[:at] + noise.bytes(12) + whole[at + 12 :]):
            result = outcome(source)
            if isinstance(result, engine.ImageError):
                assert str(result).endswith(".")
            else:
                Image.open(BytesIO(result.data)).load()
