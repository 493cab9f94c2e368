"""PNG files hold the pixels and the chunks that Pillow would have written, in no more bytes."""

import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from countermark.engine.deep import Deep
from countermark.engine.png import write_png
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from tests.engine.carriers import chunk, chunks, packet

Make = Callable[..., bytes]
PLAIN = engine.load_options({"tasks": []})
LEVEL = {"compress_level": 3}
MODES = ["L", "LA", "RGB", "RGBA", "I;16"]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def by_pillow(image: Image.Image, settings: dict[str, object]) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", **settings)
    return buffer.getvalue()


def around(data: bytes) -> list[tuple[bytes, bytes]]:
    """All chunks, without what the first ones with pixels hold and without the others of them."""
    found = [(kind, b"" if kind == b"IDAT" else content) for kind, content in chunks(data)]
    return [each for number, each in enumerate(found) if number == 0 or each != found[number - 1]]


def filters(data: bytes, size: int) -> set[int]:
    """The filters of the rows, which take `size` bytes."""
    rows = zlib.decompress(b"".join(content for kind, content in chunks(data) if kind == b"IDAT"))
    return set(rows[:: size + 1])


def pixels(data: bytes, mode: str | None = None) -> np.ndarray:
    image = Image.open(BytesIO(data))
    image.load()
    return np.asarray(image.convert(mode) if mode else image)


def picture(make: Make, mode: str, size: tuple[int, int]) -> Image.Image:
    return Image.open(BytesIO(make("PNG", mode, size)))


@pytest.fixture
def few_colors(make: Make) -> Image.Image:
    """A photograph in a palette, with the dots that a palette needs."""
    return picture(make, "RGB", (900, 600)).quantize(256)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (3, 2), (257, 129), (900, 700), (100_000, 2), (2, 50_000)])
def test_pixels_and_chunks_are_those_of_pillow_in_no_more_bytes(make, mode, size):
    image = picture(make, mode, size)
    written = Deep(np.asarray(image)[..., None], "L") if mode == "I;16" else image
    settings = {**LEVEL, "dpi": (300, 300), "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}
    ours, theirs = write_png(written, settings), by_pillow(image, settings)
    assert Image.open(BytesIO(ours)).mode == mode
    assert (pixels(ours) == np.asarray(image)).all()
    assert around(ours) == around(theirs)
    assert len(ours) < len(theirs) * 1.01 + 200


def test_all_five_filters_are_used_and_undone(make):
    across = np.tile(np.arange(0, 768, 3, dtype=np.uint8), (40, 2))  # each differs from the one before by as much
    noise = np.random.default_rng(1).integers(0, 256, (40, 512), dtype=np.uint8)
    noise[1::2] = noise[::2]  # equal to the row above
    slope = np.add.outer(np.arange(40) ** 2, np.arange(512) ** 2 // 8).astype(np.uint8)
    photo = np.asarray(picture(make, "L", (512, 300)))
    dark = np.where(noise > 250, 1, 0).astype(np.uint8)
    drawn = np.concatenate([across, noise, slope, dark, photo])
    data = write_png(Image.fromarray(drawn), LEVEL)
    assert filters(data, 512) == {0, 1, 2, 3, 4}
    assert (pixels(data) == drawn).all()


def test_few_colors_are_written_without_filters_and_much_smaller(few_colors):
    image = few_colors.convert("RGB")
    data = write_png(image, LEVEL)
    assert filters(data, 900 * 3) == {0}
    assert len(data) < 0.8 * len(by_pillow(image, LEVEL))
    assert (pixels(data) == np.asarray(image)).all()


def test_the_same_picture_gives_the_same_bytes_on_several_threads(make):
    image = picture(make, "RGB", (900, 700))
    alone = write_png(image, LEVEL)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: write_png(image, LEVEL), range(8))) == {alone}


def test_metadata_stays(make):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Ω")
    texts.add_itxt("XML:com.adobe.xmp", packet("<dc:source>a negative</dc:source>").decode())
    texts.add(b"gAMA", struct.pack(">I", 45_455))
    exif = Image.Exif()
    exif[0x013B] = "Somebody"
    source = make("PNG", icc_profile=SRGB, pnginfo=texts, exif=exif, dpi=(72, 72))
    result = Image.open(BytesIO(engine.process(source, PLAIN).data))
    result.load()
    assert (result.info["icc_profile"], result.text["Author"]) == (SRGB, "Ω")
    assert result.getexif()[0x013B] == "Somebody"
    assert result.info["dpi"] == pytest.approx((72, 72), abs=0.1)
    assert b"a negative" in result.info["xmp"]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("transparent", [False, True])
def test_a_palette_that_is_not_marked_stays(make, bits, transparent):
    image = picture(make, "RGB", (240, 160)).quantize(2**bits)
    source = by_pillow(image, {"bits": bits} | ({"transparency": 1} if transparent else {}))
    data = engine.process(source, PLAIN).data
    assert Image.open(BytesIO(data)).mode == "P"
    assert (pixels(data, "RGBA") == pixels(source, "RGBA")).all()
    assert len(data) < 1.05 * len(source) + 200


@pytest.mark.parametrize(("mode", "color"), [("RGB", (10, 20, 30)), ("L", 7), ("1", 1)])
def test_a_transparent_colour_stays_transparent(make, mode, color):
    image = picture(make, mode, (240, 160))
    ImageDraw.Draw(image).rectangle((20, 20, 90, 90), fill=color)
    source = by_pillow(image, {"transparency": color})
    data = engine.process(source, PLAIN).data
    assert (pixels(data, "RGBA") == pixels(source, "RGBA")).all()
    assert (pixels(data, "RGBA")[20:90, 20:90, 3] == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (63, 41)])
def test_an_interlaced_file_is_written_without(make, size):
    image = np.asarray(picture(make, "RGB", size))
    rows = b""
    for x, y, across, down in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
                               (0, 1, 1, 2)):  # fmt: skip
        part = image[y::down, x::across]
        rows += b"".join(b"\0" + row.tobytes() for row in part) if part.size else b""
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 1)
    source = SIGNATURE + b"".join(
        chunk(kind, content) for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )
    data = engine.process(source, PLAIN).data
    assert dict(chunks(data))[b"IHDR"][12] == 0
    assert (pixels(data) == image).all()


def test_outside_the_mark_a_deep_picture_keeps_every_bit():
    values = np.random.default_rng(2).integers(0, 65_536, (300, 500)).astype(np.uint16)
    source = by_pillow(Image.fromarray(values), {})
    options = engine.parse_options({"position": "top-left", "size": "0.1", "color": "white"})
    result = pixels(engine.process(source, options).data)
    assert (result[150:] == values[150:]).all()
    assert (result != values).any()


@pytest.mark.parametrize("kind", [b"IHDR", b"fcTL"])
@pytest.mark.parametrize("size", [0, 3, 7])
def test_a_chunk_too_short_for_a_size_is_damaged(kind: bytes, size: int) -> None:
    """What stands behind it is no part of it."""
    plain = by_pillow(Image.new("RGB", (40, 30), "gray"), {})
    with pytest.raises(engine.DamagedImage):
        engine.process(plain[:-12] + chunk(kind, b"\xff" * size) + plain[-12:], PLAIN)
