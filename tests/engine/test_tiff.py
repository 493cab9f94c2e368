"""TIFF files of every kind come out marked, in their colours and their compression, as another decoder reads them."""

from io import BytesIO
from itertools import product

import numpy as np
import pytest
from countermark import engine
from PIL import Image

from tests.engine.tiffs import BLACK_IS_ZERO, CMYK, RGB, WHITE_IS_ZERO, by_vips, tiff

LAB, YCBCR, PALETTE = 8, 6, 3
MARK = {"position": "top-left", "size": "0.3", "color": "white"}
SIZE = (110, 150)
WHITE = 65_535


def shallow(bands: int) -> np.ndarray:
    """A picture of slopes and some noise, so that every pixel is one of its own."""
    noise = np.random.default_rng(bands).integers(0, 30, (*SIZE, bands))
    slope = np.linspace(10, 170, SIZE[1])[None, :, None] + np.linspace(0, 40, SIZE[0])[:, None, None]
    return (slope + noise).astype(np.uint8)


def marked(source: bytes, **fields: str) -> engine.Edited:
    return engine.process(source, engine.parse_options(MARK | fields))


def same_outside(before: np.ndarray, after: np.ndarray) -> bool:
    equal = (before == after).all(axis=2)
    return bool(equal[:, 90:].all() and equal[70:].all() and not equal.all())


LAYOUTS = [
    (order, big, *others)
    for order, big, *others in product("<>", (False, True), (False, True), (0, 64), ("none", "deflate"))
    if not (big and order == ">")  # Pillow reads none of these
]


@pytest.mark.parametrize(("order", "big", "separate", "tile", "compression"), LAYOUTS)
@pytest.mark.parametrize(
    ("bands", "photometric", "extra"), [(1, BLACK_IS_ZERO, ()), (3, RGB, ()), (4, RGB, (2,)), (4, CMYK, ())]
)
def test_pixels_outside_the_mark_are_kept_however_they_lie(
    bands, photometric, extra, order, big, separate, tile, compression
):
    pixels = shallow(bands)
    layout = {"order": order, "big": big, "separate": separate, "tile": tile, "compression": compression}
    edited = marked(tiff(pixels, photometric, extra=extra, **layout))
    assert edited.format == "TIFF"
    assert same_outside(pixels, by_vips(edited.data))


def test_white_may_be_zero():
    assert same_outside(255 - shallow(1), by_vips(marked(tiff(shallow(1), WHITE_IS_ZERO)).data))


@pytest.mark.parametrize("photometric", [YCBCR, LAB])
def test_other_colours_become_red_green_and_blue(photometric):
    pixels = np.full((*SIZE, 3), (120, 128, 128) if photometric == YCBCR else (120, 0, 0), dtype=np.uint8)
    after = by_vips(marked(tiff(pixels, photometric)).data)
    assert after.shape[2] == 3
    assert np.ptp(after[80:].astype(int)) <= 1


def test_a_palette_becomes_its_colours():
    image = Image.fromarray(shallow(3)).quantize(60)
    buffer = BytesIO()
    image.save(buffer, "TIFF")
    assert same_outside(np.asarray(image.convert("RGB")), by_vips(marked(buffer.getvalue()).data))


def test_colours_that_are_multiplied_with_alpha_are_divided_again():
    pixels = shallow(4)
    pixels[..., 3] = np.linspace(120, 255, SIZE[1]).astype(np.uint8)
    whole = np.rint(pixels[..., :3] * (pixels[..., 3:] / 255)).astype(np.uint8)
    after = by_vips(marked(tiff(np.dstack([whole, pixels[..., 3]]), RGB, extra=(1,))).data)
    assert np.abs(after[80:].astype(int) - pixels[80:]).max() <= 3


KEPT = ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd"]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("compression", KEPT)
@pytest.mark.parametrize("predictor", [1, 2])
def test_the_compression_stays_and_the_file_does_not_grow(make, mode, compression, predictor):
    predicted = predictor == 2 and compression not in {"raw", "packbits"}
    settings = {"compression": compression} | ({"tiffinfo": {317: 2}} if predicted else {})
    source = make("TIFF", mode, (120, 80), **settings)
    edited = marked(source)
    result = Image.open(BytesIO(edited.data))
    assert (result.info["compression"], result.tag_v2.get(317, 1)) == (compression, 2 if predicted else 1)
    assert len(edited.data) < 1.1 * len(source) + 2000
    before, after = (np.asarray(Image.open(BytesIO(each))) for each in (source, edited.data))
    assert (before[50:] == after[50:]).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr"])
@pytest.mark.parametrize("quality", [40, 75, 92])
def test_jpeg_in_tiff_stays_so_at_its_quality(make, mode, quality):
    source = make("TIFF", mode, compression="jpeg", quality=quality)
    edited = marked(source, size="0.2")
    result = Image.open(BytesIO(edited.data))
    assert result.info["compression"] == "jpeg"
    assert len(edited.data) < 1.3 * len(source) + 3000
    before, after = (by_vips(each).astype(int) for each in (source, edited.data))
    assert np.abs(before - after)[100:].mean() < 4


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "tiff_adobe_deflate"])
def test_a_bilevel_page_becomes_grey_and_small(make, compression):
    source = make("TIFF", "1", size=(600, 400), compression=compression)
    edited = marked(source)
    after = by_vips(edited.data)
    assert after.dtype == np.uint8
    assert Image.open(BytesIO(edited.data)).info["compression"] == "tiff_adobe_deflate"
    before = np.asarray(Image.open(BytesIO(source)).convert("L"))
    assert (after[250:, :, 0] == before[250:]).all()


def ramp(kind: str, low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, SIZE[0] * SIZE[1]).reshape(*SIZE, 1).astype(kind)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (ramp("<f4", 0, 1), 0, 1),
        (ramp("<f4", 0.2, 0.7), 0, 1),
        (ramp("<f4", -3, 900), -3, 900),
        (ramp("<i2", -32_768, 32_767), -32_768, 32_767),
        (ramp("<i2", -50, 900), -50, 900),
        (ramp("<i4", -70_000, 2_000_000_000), -70_000, 2_000_000_000),
        (ramp("<u4", 0, 4_294_967_295), 0, 4_294_967_295),
        (ramp("<u4", 3, 300), 3, 300),
    ],
    ids=lambda value: f"{value.dtype}" if isinstance(value, np.ndarray) else str(value),
)
@pytest.mark.parametrize(("order", "photometric"), [("<", BLACK_IS_ZERO), (">", BLACK_IS_ZERO), ("<", WHITE_IS_ZERO)])
def test_values_of_other_kinds_are_stretched_into_16_bits(values, low, high, order, photometric):
    edited = marked(tiff(values, photometric, order=order))
    share = (values.astype(np.float64) - low) / (high - low)
    expected = np.rint((1 - share if photometric == WHITE_IS_ZERO else share) * WHITE)
    after = by_vips(edited.data)
    assert edited.notes == ("values_stretched",)
    assert after.dtype == np.uint16
    assert np.abs(after[80:] - expected[80:]).max() <= 1


def test_numbers_that_are_none_are_black():
    values = ramp("<f4", 0, 1)
    values[100, 100], values[101, 100], values[102, 100] = np.nan, np.inf, -np.inf
    values.view("<u4")[103, 100] = 0x7F800001  # which warns whoever computes with it
    after = by_vips(marked(tiff(values, BLACK_IS_ZERO)).data)
    assert after[100:104, 100, 0].tolist() == [0, WHITE, 0, 0]


@pytest.mark.parametrize(
    ("samples", "photometric", "message"),
    [
        (ramp("<f8", 0, 1), BLACK_IS_ZERO, "64 bits of floating point"),
        (np.zeros((*SIZE, 3), dtype="<f4"), RGB, "RGB colours with 3 samples of 32 bits of floating point"),
        (np.zeros((*SIZE, 3), dtype="<u4"), RGB, "32 bits each"),
        (np.zeros((*SIZE, 3), dtype="<i2"), LAB, "Lab colours with 3 samples of 16 bits with a sign"),
    ],
)
def test_what_cannot_be_read_is_called_by_its_name(samples, photometric, message):
    with pytest.raises(engine.UnsupportedFormat, match=message):
        marked(tiff(samples, photometric))


@pytest.mark.parametrize(
    ("compression", "name"), [(50_001, "as WebP"), (34_712, "as JPEG 2000"), (34_999, "in way 34999")]
)
def test_a_compression_that_cannot_be_read_is_called_by_its_name(compression, name):
    source = tiff(shallow(3), RGB, tags={259: [compression]})
    with pytest.raises(engine.UnsupportedFormat, match=f"TIFF images compressed {name} cannot be read"):
        marked(source)


def test_a_large_kind_that_cannot_be_read_is_called_by_its_name():
    with pytest.raises(engine.UnsupportedFormat, match="Big-endian BigTIFF"):
        marked(tiff(shallow(1), BLACK_IS_ZERO, order=">", big=True))


def test_every_page_is_marked_in_its_own_size_and_mode(make):
    pages = [Image.open(BytesIO(make("PNG", mode, size))) for mode, size in
             (("RGB", (120, 90)), ("L", (200, 60)), ("RGBA", (90, 90)), ("1", (120, 120)))]  # fmt: skip
    buffer = BytesIO()
    pages[0].convert("RGB").save(buffer, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    edited = marked(buffer.getvalue())
    result = Image.open(BytesIO(edited.data))
    assert edited.frames == result.n_frames == 4
    for number, page in enumerate(pages):
        result.seek(number)
        assert (result.size, result.mode) == (page.size, "L" if page.mode == "1" else page.mode)
        before, after = np.asarray(page.convert(result.mode)), np.asarray(result)
        assert (before != after).any()
        assert (before[-10:] == after[-10:]).all()


def test_pixels_of_a_large_kind_are_counted_before_they_are_decoded():
    with pytest.raises(engine.TooManyPixels):
        engine.process(tiff(shallow(3), RGB, big=True), engine.Options(), limits=engine.Limits(max_pixels=10_000))
