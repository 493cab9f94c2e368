"""Pictures of 16 bits keep them, in PNG and TIFF, as another decoder reads them."""

from io import BytesIO
from itertools import product

import numpy as np
import pytest
import pyvips
from countermark import engine
from countermark.engine.deep import Deep
from countermark.engine.layout import Spot
from countermark.engine.mark import Appearance, Sprite, Text, prepare
from countermark.engine.paint import in_profile
from PIL import Image

from tests.engine.carriers import chunk
from tests.engine.tiffs import BLACK_IS_ZERO, CMYK, RGB, WHITE_IS_ZERO, by_vips, tiff

CORNER = {"position": "top-left", "size": "0.3", "color": "orange"}
WHITE = 65_535


def samples(bands: int, size: tuple[int, int] = (150, 110)) -> np.ndarray:
    """A picture whose low bytes matter: slopes, and noise in the last bits; alpha, where there is one, is uneven."""
    width, height = size
    noise = np.random.default_rng(bands).integers(0, 700, (height, width, bands))
    across, down = np.linspace(3_000, 60_000, width), np.linspace(0, 4_000, height)
    return (across[None, :, None] + down[:, None, None] + noise).astype(np.uint16)


def png(pixels: np.ndarray, **settings: object) -> bytes:
    """A PNG file of 16 bits, by libvips."""
    kind = "grey16" if pixels.shape[2] < 3 else "rgb16"
    return (
        pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
        .copy(interpretation=kind)
        .pngsave_buffer(keep="none", **settings)
    )


def marked(source: bytes, **fields: str) -> engine.Edited:
    return engine.process(source, engine.parse_options(CORNER | fields))


def same_outside(before: np.ndarray, after: np.ndarray) -> bool:
    """Tell whether the right half and the lower half are the same, and something else is not."""
    equal = (before == after).all(axis=2)
    return bool(equal[:, 90:].all() and equal[70:].all() and not equal.all())


@pytest.mark.parametrize(("bands", "interlaced"), list(product((1, 2, 3, 4), (False, True))))
def test_a_png_keeps_every_bit_outside_the_mark(bands, interlaced):
    pixels = samples(bands)
    edited = marked(png(pixels, interlace=interlaced), color="white")
    after = by_vips(edited.data)
    assert (after.dtype, after.shape, edited.notes) == (np.uint16, pixels.shape, ())
    assert same_outside(pixels, after)


@pytest.mark.parametrize("bands", [1, 2])
def test_a_coloured_mark_makes_a_grey_picture_one_of_colours(bands):
    pixels = samples(bands)
    after = by_vips(marked(png(pixels)).data)
    assert (after.dtype, after.shape[2]) == (np.uint16, bands + 2)
    assert same_outside(np.concatenate([pixels[..., :1]] * 3 + [pixels[..., 1:]], axis=2), after)


@pytest.mark.parametrize("bands", [1, 3])
def test_what_one_colour_of_16_bits_makes_transparent_stays_so(bands):
    pixels = samples(bands)
    key = pixels[100, 140].copy()
    pixels[80:100, 100:140] = key
    source = png(pixels)
    after = by_vips(marked(put(source, b"tRNS", key.astype(">u2").tobytes()), color="white").data)
    alpha = np.where((pixels == key).all(axis=2), 0, WHITE)
    assert after.dtype == np.uint16
    assert same_outside(np.dstack([pixels, alpha]), after)


@pytest.mark.parametrize(("order", "tile", "compression"), list(product("<>", (0, 64), ("none", "deflate"))))
@pytest.mark.parametrize(
    ("bands", "photometric", "extra"),
    [(1, BLACK_IS_ZERO, ()), (2, BLACK_IS_ZERO, (2,)), (3, RGB, ()), (4, RGB, (2,)), (4, CMYK, ())],
)
def test_a_tiff_keeps_every_bit_outside_the_mark(bands, photometric, extra, order, tile, compression):
    pixels = samples(bands)
    source = tiff(pixels, photometric, order=order, tile=tile, compression=compression, extra=extra)
    color = "white" if bands < 3 else "orange"
    edited = marked(source, color=color)
    after = by_vips(edited.data)
    assert (after.dtype, after.shape, edited.notes) == (np.uint16, pixels.shape, ())
    assert same_outside(pixels, after)
    written = {"none": "raw", "deflate": "tiff_adobe_deflate"}[compression]
    assert Image.open(BytesIO(edited.data)).info["compression"] == written


@pytest.mark.parametrize(("order", "tile", "compression"), list(product("<>", (0, 64), ("none", "deflate"))))
def test_colours_may_lie_one_behind_another(order, tile, compression):
    pixels = samples(4)
    layout = {"order": order, "tile": tile, "compression": compression, "separate": True}
    after = by_vips(marked(tiff(pixels, RGB, extra=(2,), **layout)).data)
    assert after.dtype == np.uint16
    assert same_outside(pixels, after)


def test_white_may_be_zero():
    pixels = samples(1)
    after = by_vips(marked(tiff(pixels, WHITE_IS_ZERO), color="white").data)
    assert same_outside(WHITE - pixels, after)


def test_colours_that_are_multiplied_with_alpha_are_divided_again():
    pixels = samples(4)
    pixels[..., 3] = np.linspace(20_000, WHITE, 150).astype(np.uint16)
    whole = (pixels[..., :3] * (pixels[..., 3:] / WHITE)).round().astype(np.uint16)
    after = by_vips(marked(tiff(np.dstack([whole, pixels[..., 3]]), RGB, extra=(1,))).data)
    assert after.dtype == np.uint16
    assert np.abs(after[70:].astype(int) - pixels[70:]).max() <= 2


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("first", ["png", "tiff"])
def test_a_copy_is_read_again_in_all_its_bits(bands, first):
    pixels = samples(bands)
    copy = engine.process(png(pixels), engine.load_options({"tasks": [], "format": first})).data
    again = engine.process(copy, engine.load_options({"tasks": [], "format": "tiff"})).data
    assert (by_vips(again) == pixels).all()


def test_every_page_keeps_its_depth():
    pages = [samples(3), samples(1), samples(4)[..., :3]]
    deep = [pyvips.Image.new_from_array(np.ascontiguousarray(page)).copy(interpretation="rgb16") for page in pages[::2]]
    joined = pyvips.Image.arrayjoin(deep, across=1)
    joined.set_type(pyvips.GValue.gint_type, "page-height", 110)
    source = joined.tiffsave_buffer(compression="lzw", predictor="horizontal")
    edited = marked(source)
    assert edited.frames == 2
    for number, page in enumerate(pages[::2]):
        after = by_vips(edited.data, number)
        assert after.dtype == np.uint16
        assert same_outside(page, after)


def put(source: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG file with one chunk more, in front of its pixels."""
    at = source.index(b"IDAT") - 4
    return source[:at] + chunk(kind, content) + source[at:]


def test_a_picture_that_lies_turned_is_stood_upright():
    pixels = samples(3)
    turned = {
        2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1], 5: pixels.swapaxes(0, 1), 6: np.rot90(pixels, -1),
        7: pixels[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(pixels),
    }  # fmt: skip
    for orientation, upright in turned.items():
        exif = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1" + bytes((0, orientation, 0, 0)) + bytes(4)
        for source in (tiff(pixels, RGB, tags={0x0112: [orientation]}), put(png(pixels), b"eXIf", exif)):
            edited = marked(source, position="bottom-right")
            after = by_vips(edited.data)
            assert (edited.width, edited.height) == upright.shape[1::-1]
            assert (after[:50, :50] == upright[:50, :50]).all()


@pytest.mark.parametrize("blend", ["normal", "multiply", "screen"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
def test_a_mark_is_blended_as_exactly_as_numbers_are(mode, blend):
    """Every sample is that of a computation in double precision, rounded."""
    pixels = samples(len(mode))
    look = Appearance(
        content=Text(lines="16 bits", font="Roboto-Medium"), color="#b0b0b0" if mode[0] == "L" else "#f08020",
        effect="shadow", opacity=0.6, rotation=20, blend=blend,
    )  # fmt: skip
    sprite = prepare(look, 96, 96)
    spots: list[Spot] = [(20, 10), (-30, 70), (110, 80)]
    expected = pixels.astype(np.float64)
    for spot in spots:
        place(expected, sprite, spot, mode)
    after = Deep(pixels.copy(), mode).painted(sprite, spots, None).samples
    assert np.abs(after - expected).max() <= 1  # where halves are rounded
    touched = np.zeros(pixels.shape[:2], dtype=bool)
    for x, y in spots:
        cover(touched, sprite, (x, y))
    assert (after[~touched] == pixels[~touched]).all()


def place(picture: np.ndarray, sprite: Sprite, spot: Spot, mode: str) -> None:
    """Blend one copy into a picture of floating point, pixel by pixel."""
    colors = np.asarray(in_profile(sprite, mode.removesuffix("A"), None), dtype=np.float64)
    colors = colors.reshape(sprite.size[1], sprite.size[0], -1) / 255
    alpha = np.asarray(sprite.image.getchannel("A"), dtype=np.float64) / 255
    for (row, column), share in np.ndenumerate(alpha):
        x, y = spot[0] + column, spot[1] + row
        if not share or not (0 <= x < picture.shape[1] and 0 <= y < picture.shape[0]):
            continue
        ground = picture[y, x] / WHITE
        below = ground[-1] if "A" in mode else 1.0
        under = ground[:-1] if "A" in mode else ground
        color = colors[row, column]
        if sprite.blend != "normal":
            product_of = (sprite.blend == "multiply") != (mode == "CMYK")
            mixed = under * color if product_of else 1 - (1 - under) * (1 - color)
            color = color + (mixed - color) * below
        whole = share + below * (1 - share)
        result = (color * share + under * below * (1 - share)) / whole
        picture[y, x] = np.rint(np.append(result, whole) * WHITE if "A" in mode else result * WHITE)


def cover(touched: np.ndarray, sprite: Sprite, spot: Spot) -> None:
    """Say where a copy touches a picture."""
    alpha = np.asarray(sprite.image.getchannel("A"))
    for row, column in zip(*np.nonzero(alpha), strict=True):
        x, y = spot[0] + column, spot[1] + row
        if 0 <= x < touched.shape[1] and 0 <= y < touched.shape[0]:
            touched[y, x] = True


def test_a_mark_that_cannot_be_seen_is_found_out_in_16_bits():
    white = np.full((110, 150, 3), WHITE, dtype=np.uint16)
    with pytest.raises(engine.EmptyMark):
        engine.process(png(white), engine.parse_options({"color": "white", "effect": "none"}))
    assert engine.process(png(white), engine.parse_options({"color": "black"})).notes == ()


def test_a_picture_is_resized_and_made_grey_in_16_bits():
    pixels = samples(4)
    pixels[..., 3] = WHITE
    tasks = [{"task": "grayscale"}, {"task": "resize", "width": 75}, {"task": "watermark", "position": "top-left"}]
    after = by_vips(engine.process(png(pixels), engine.load_options({"tasks": tasks})).data)
    assert (after.dtype, after.shape) == (np.uint16, (55, 75, 2))
    grey = (pixels[..., :3] @ [0.299, 0.587, 0.114]).reshape(55, 2, 75, 2).mean(axis=(1, 3))
    assert np.abs(after[40:50, 60:70, 0] - grey[40:50, 60:70]).max() < 600


def test_other_formats_get_eight_bits_rightly_rounded():
    pixels = samples(3)
    after = by_vips(marked(png(pixels), format="webp").data)
    assert after.dtype == np.uint8
    exact = Image.open(BytesIO(marked(png(pixels), format="bmp").data))
    assert np.abs(np.asarray(exact)[70:] - pixels[70:] / 257).max() <= 0.5


def test_a_preview_is_made_of_16_bits():
    preview = engine.preview(png(samples(4)), engine.parse_options(CORNER), longest=100)
    assert (preview.format, preview.width) == ("PNG", 100)
