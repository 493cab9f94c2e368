"""Pictures with a palette stay small: their own colours exact, those of the marks near, and never a mark lost."""

from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from countermark.engine.palette import NEAR
from PIL import Image, ImageDraw

from tests.engine.tiffs import by_vips

FAINT = {"opacity": "0.05", "color": "white", "effect": "none"}


def chart(colors: int, *, transparent: bool = False) -> Image.Image:
    """A drawing of bars in so many colours, in a palette."""
    image = Image.new("P", (600, 400), 0)
    random = np.random.default_rng(colors)
    image.putpalette(random.integers(0, 200, 3 * colors).astype(np.uint8).tobytes())
    draw = ImageDraw.Draw(image)
    for number in range(colors):
        left = 20 + number * 560 // colors
        draw.rectangle((left, 380 - number % 9 * 40, left + 560 // colors, 390), fill=number)
    if transparent:
        image.info["transparency"] = bytes(0 if each == 0 else 128 + each % 128 for each in range(colors))
    return image


def file(image: Image.Image, form: str = "PNG", **settings: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()


def marked(source: bytes, **fields: str) -> Image.Image:
    return Image.open(BytesIO(engine.process(source, engine.parse_options(fields)).data))


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("colors", [2, 4, 16, 64, 120, 200, 256])
def test_own_colours_are_exact_and_those_of_the_mark_near(colors, transparent):
    image = chart(colors, transparent=transparent)
    mode = "RGBA" if transparent else "RGB"
    whole = np.asarray(image.convert(mode)).astype(int)
    small, large = marked(file(image)), marked(file(image.convert(mode)))
    exact, result = (np.asarray(each.convert(mode)).astype(int) for each in (large, small))
    assert np.abs(exact - result).max() <= (NEAR if small.mode == "P" else 0)
    same = (exact == whole).all(axis=2)
    assert (result[same] == whole[same]).all()
    assert small.mode == "P" or colors > 60


@pytest.mark.parametrize("colors", [2, 4, 16])
def test_a_drawing_is_half_of_what_it_is_in_full_colours(colors):
    image = chart(colors)
    small, large = (engine.process(file(each), engine.Options()).data for each in (image, image.convert("RGB")))
    assert len(small) < 0.5 * len(large)


def test_a_photograph_that_fills_its_palette_stays_in_full_colours(photograph):
    image = Image.open(BytesIO(photograph("brushes"))).resize((640, 426))
    source = file(image.quantize(256))
    result = marked(source)
    assert result.mode == "RGB"
    assert len(result.fp.getvalue()) < 2.5 * len(source)


@pytest.mark.parametrize("colors", [4, 32, 120])
def test_a_faint_mark_is_not_taken_away(photograph, colors):
    image = Image.open(BytesIO(photograph("brushes"))).resize((640, 426)).quantize(colors, dither=0)
    before = np.asarray(image.convert("RGB")).astype(int)
    whole, small = (marked(file(each), **FAINT) for each in (image.convert("RGB"), image))
    changed = [np.abs(np.asarray(each.convert("RGB")) - before).max(axis=2) >= 4 for each in (whole, small)]
    assert changed[1].sum() >= changed[0].sum()


@pytest.mark.parametrize("form", ["TIFF", "BMP"])
def test_other_formats_keep_their_palette_as_well(form):
    source = file(chart(16), form)
    result = marked(source)
    assert result.mode == "P"
    assert len(result.fp.getvalue()) < max(1.5 * len(source), 40_000)
    if form == "TIFF":
        assert (by_vips(result.fp.getvalue()) == np.asarray(result.convert("RGB"))).all()


def test_a_grey_picture_of_few_bits_is_one_of_eight():
    image = Image.linear_gradient("L").resize((300, 200)).quantize(16).convert("L")
    result = marked(file(image, bits=4), color="white")
    assert result.mode == "L"


@pytest.mark.parametrize("form", ["PNG", "GIF"])
@pytest.mark.parametrize("wanted", ["tiff", "png", "webp"])
def test_what_is_transparent_stays_so_in_every_format_that_can(form, wanted):
    image, buffer = Image.new("P", (120, 80), 1), BytesIO()
    image.putpalette([255, 0, 0, 0, 90, 200])
    image.paste(0, (0, 40, 120, 80))
    image.save(buffer, form, transparency=0)
    options = engine.load_options({"text": "A", "position": "top", "size": 0.4, "format": wanted})
    result = Image.open(BytesIO(engine.process(buffer.getvalue(), options).data)).convert("RGBA")
    assert result.getpixel((60, 70))[3] == 0
    assert result.getpixel((2, 2)) == (0, 90, 200, 255)
