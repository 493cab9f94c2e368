"""What a PNG file says of its colours stays true of its copy, whatever becomes of it."""

import struct
import zlib
from io import BytesIO
from itertools import product

import numpy as np
import pytest
import pyvips
from countermark import engine
from countermark.engine.metadata.png import put_chunks
from PIL import Image, ImageCms

from tests.engine.carriers import chunks, with_tag
from tests.engine.profiles import lut
from tests.engine.test_deep import png, put, samples

MARK = {"position": "top-left", "size": "0.3", "color": "white"}
ADOBE_RGB = struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000)
COLORS = {
    b"gAMA": struct.pack(">I", 100_000),
    b"cHRM": ADOBE_RGB,
    b"cICP": bytes((9, 16, 0, 1)),
    b"mDCV": bytes(range(24)),
    b"cLLI": struct.pack(">II", 10_000_000, 4_000_000),
    b"pHYs": struct.pack(">IIB", 3000, 5000, 0),
    b"sRGB": b"\1",
}


def found(data: bytes) -> dict[bytes, bytes]:
    return {kind: content for kind, content in chunks(data) if kind in {*COLORS, b"sBIT"}}


def process(source: bytes, **fields: str) -> engine.Edited:
    return engine.process(source, engine.parse_options(MARK | fields))


@pytest.mark.parametrize("form", ["8 bits", "16 bits", "palette", "animation"])
def test_every_chunk_stays(make, form):
    if form == "16 bits":
        source = png(samples(3))
    elif form == "animation":
        buffer, frame = BytesIO(), Image.open(BytesIO(make("PNG")))
        frame.save(buffer, "PNG", save_all=True, append_images=[frame.rotate(180)], duration=80)
        source = buffer.getvalue()
    else:
        source = make("PNG", "P" if form == "palette" else "RGB")
    if b"pHYs" in source:  # libvips writes one
        at = source.index(b"pHYs") - 4
        source = source[:at] + source[at + 12 + 9 :]
    for kind, content in COLORS.items():
        source = put(source, kind, content)
    result = process(source).data
    kinds = [kind for kind, _ in chunks(result)]
    assert found(result) == COLORS
    assert max(map(kinds.index, COLORS)) < min(kinds.index(kind) for kind in (b"PLTE", b"IDAT") if kind in kinds)


@pytest.mark.parametrize("metadata", ["keep", "no-location", "none"])
def test_colours_are_no_metadata_that_can_be_stripped(make, metadata):
    assert found(process(put(make("PNG"), b"gAMA", COLORS[b"gAMA"]), metadata=metadata).data) == {
        b"gAMA": COLORS[b"gAMA"]
    }


SIGNIFICANT = {"L": b"\5", "LA": b"\5\4", "RGB": b"\5\6\5", "RGBA": b"\5\6\5\4", "P": b"\5\6\5"}


@pytest.mark.parametrize("mode", SIGNIFICANT)
@pytest.mark.parametrize("tasks", [[], [{"task": "watermark", "color": "#ff8000"}], [{"task": "grayscale"}]])
def test_significant_bits_are_those_of_the_kind_of_colours(make, mode, tasks):
    source = put(make("PNG", mode), b"sBIT", SIGNIFICANT[mode])
    data = engine.process(source, engine.load_options({"tasks": tasks})).data
    result, bits = dict(chunks(data)), found(data).get(b"sBIT")
    expected = {0: (b"\5", None), 2: (b"\5\6\5", b"\5\5\5"), 3: (b"\5\6\5",), 4: (b"\5\4", None),
                6: (b"\5\6\5\4", b"\5\5\5\4")}  # fmt: skip
    assert bits in expected[result[b"IHDR"][9]]


def test_a_colour_profile_comes_alone(make):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = put(make("PNG", icc_profile=profile), b"sRGB", b"\0")
    result = process(source).data
    assert b"sRGB" not in found(result)
    assert Image.open(BytesIO(result)).info["icc_profile"] == profile


def test_density_is_turned_with_the_picture(make):
    exif = Image.Exif()
    exif[0x0112] = 6
    source = put(make("PNG", exif=exif), b"pHYs", struct.pack(">IIB", 3000, 6000, 1))
    assert found(process(source).data)[b"pHYs"] == struct.pack(">IIB", 6000, 3000, 1)
    density = Image.open(BytesIO(process(source, format="jpeg").data)).info["dpi"]
    assert density == pytest.approx((152.4, 76.2), abs=1)


@pytest.mark.parametrize(("mode", "form"), list(product(["RGB", "L"], ["jpeg", "tiff", "webp", "avif"])))
def test_other_formats_get_a_profile_that_says_the_same(make, mode, form):
    if mode == "L" and form in {"webp", "avif"}:
        pytest.skip("these hold no grey, so that a profile of it fits none of their colours")
    source = make("PNG", mode)
    for kind in (b"gAMA", b"cHRM"):
        source = put(source, kind, COLORS[kind])
    result = Image.open(BytesIO(process(source, format=form, quality="95").data))
    profile = ImageCms.ImageCmsProfile(BytesIO(result.info["icc_profile"]))
    assert profile.profile.xcolor_space.strip() == {"RGB": "RGB", "L": "GRAY"}[mode]
    before = pyvips.Image.new_from_buffer(source, "").numpy().astype(float) / 255
    shown = ImageCms.profileToProfile(result, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    light = before if before.ndim == 3 else np.repeat(before[..., None], 3, axis=2)  # gamma is 1
    wide = np.array([[1.39835, -0.39835, 0.0], [0, 1, 0], [0, -0.04293, 1.04293]]) if mode == "RGB" else np.eye(3)
    light = (light @ wide.T).clip(0, 1)
    exact = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    bright = (light > 0.05).all(axis=2)
    bright[:90] = False
    assert np.abs(np.asarray(shown)[bright] - exact[bright]).mean() < 5


@pytest.mark.parametrize(
    "colors",
    [
        {b"gAMA": struct.pack(">I", 45_455)},
        {b"gAMA": struct.pack(">I", 0)},
        {b"cHRM": bytes(32)},
        {b"cHRM": b"\xff" * 32},
        {b"cHRM": struct.pack(">8I", *[31_270, 32_900] * 4)},
        {b"sRGB": b"\0", b"gAMA": struct.pack(">I", 100_000)},
    ],
)
def test_no_profile_is_made_of_what_is_usual_or_nonsense(make, colors):
    source = make("PNG")
    for kind, content in colors.items():
        source = put(source, kind, content)
    assert "icc_profile" not in Image.open(BytesIO(process(source, format="jpeg").data)).info


LONG = b"A" * 3_000_000


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"Comment\0\0" + zlib.compress(LONG)),
        (b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(LONG)),
        (b"tEXt", b"Comment\0" + LONG),
        (b"iCCP", b"large\0\0" + zlib.compress(LONG)),
        (b"zTXt", b"broken\0\0nothing that is packed"),
        (b"zTXt", b"broken\0\7"),
        (b"iCCP", b"broken"),
        (b"gAMA", b"\0"),
        (b"cHRM", b""),
        (b"sRGB", b""),
        (b"tEXt", b""),
        (b"prVt", b"something private"),
    ],
    ids=lambda chunk: f"{chunk[0].decode()} {len(chunk[1])}",
)
@pytest.mark.parametrize("checksum", [True, False])
def test_no_text_or_profile_makes_a_sound_picture_damaged(make, chunk, checksum):
    source = put(make("PNG"), *chunk)
    if not checksum:
        at = source.index(chunk[0]) + 4 + len(chunk[1])
        source = source[:at] + b"oops" + source[at + 4 :]
    before, after = (np.asarray(Image.open(BytesIO(each))) for each in (make("PNG"), process(source).data))
    assert (before[100:] == after[100:]).all()


def test_a_large_profile_stays(make):
    """Those of printing presses have several million bytes; what the engine writes it reads again."""
    profile = with_tag(b"A2B0", lut(b"mft2", 3, 3, 64))
    assert len(profile) > 1_500_000
    once = process(put(make("PNG"), b"iCCP", b"press\0\0" + zlib.compress(profile))).data
    again = process(once).data
    kept = dict(chunks(again))[b"iCCP"]
    assert zlib.decompress(kept.partition(b"\0")[2][1:]) == profile


def test_a_file_without_such_chunks_is_not_copied(make):
    source = make("PNG")
    assert put_chunks(source, {}) is source
    assert put_chunks(source, {b"sBIT": b"\x09"}) is source
