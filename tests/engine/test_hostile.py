"""Files that mean harm, or are broken: each ends in a typed error or a picture, soon and in little memory."""

import struct
import time
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from PIL import Image

LIMITS = engine.Limits(max_pixels=2_000_000, max_frames=50, max_bytes=5_000_000, seconds=20)


def png(width: int, height: int, rows: bytes, *, depth: int = 8, kind: int = 2, extra: bytes = b"") -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
    return head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A compressed text that unpacks to 200 million bytes."""
    packed = zlib.compress(bytes(200_000_000), 9)
    data = b"zTXtcomment\0\0" + packed
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return png(60, 60, b"\0" * 60 * 181, extra=chunk)


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header promises more than there is."""
    buffer = BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def scan_bomb() -> bytes:
    """A progressive JPEG that repeats one scan thousands of times."""
    buffer = BytesIO()
    Image.new("RGB", (1024, 1024), "gray").save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 6000 + data[-2:]


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


def webp_of(width: int, height: int) -> bytes:
    head = struct.pack("<I", 0)[:4] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + head
    return b"RIFF" + struct.pack("<I", len(body)) + body


HOSTILE: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "png of 4 billion pixels": (lambda: png(65_000, 65_000, b"\0"), {"too_many_pixels"}),
    "png with fewer rows": (lambda: png(500, 500, b"\0" * 100), {"truncated_image", "damaged_image"}),
    "png without pixels": (lambda: png(0, 0, b""), {"damaged_image"}),
    "png of an unknown kind": (lambda: png(4, 4, b"\0" * 90, kind=5), {"damaged_image"}),
    "jpeg of 4 billion pixels": (lambda: jpeg_of(65_500, 65_500), {"too_many_pixels"}),
    "jpeg without pixels": (lambda: jpeg_of(0, 16), {"damaged_image"}),
    "jpeg of thousands of scans": (scan_bomb, {"damaged_image"}),
    "gif of too many frames": (lambda: frames(60, 8), {"too_many_frames"}),
    "gif of too many pixels": (lambda: frames(40, 300), {"too_many_pixels"}),
    "gif cut off": (lambda: frames(3, 64)[:-90], {"truncated_image", "damaged_image"}),
    "webp of 270 million pixels": (lambda: webp_of(16_383, 16_383), {"too_many_pixels", "damaged_image"}),
    "avif of nothing": (lambda: b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(40), {"damaged_image"}),
    "heic of nothing": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), {"damaged_image"}),
    "bmp of 4 billion pixels": (
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 65_000, 65_000, 1, 24, 0, 0, 0, 0, 0, 0),
        {"too_many_pixels"},
    ),
    "tiff of one directory": (lambda: b"II*\0\x08\0\0\0\0\0\0\0\0\0", {"damaged_image"}),
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


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_soon(name):
    make, codes = HOSTILE[name]
    source = make()
    began = time.monotonic()
    with pytest.raises(engine.ImageError) as caught:
        engine.process(source, engine.Options(), limits=LIMITS)
    assert caught.value.code in codes
    assert str(caught.value).endswith(".")
    assert time.monotonic() - began < LIMITS.seconds


def test_a_text_that_unpacks_to_much_is_not_unpacked():
    edited = engine.process(text_bomb(), engine.Options(), limits=LIMITS)
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
