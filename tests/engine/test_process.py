"""Whole images through the engine."""

from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from PIL import Image, ImageChops

from tests.engine.carriers import srgb


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")


def marked(source: bytes, **fields: str) -> Image.Image:
    return opened(engine.process(source, engine.parse_options(fields)).data)


@pytest.mark.parametrize(
    ("form", "mode"),
    [
        ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("PNG", "LA"),

        ("PNG", "P"), ("PNG", "1"), ("PNG", "I;16"), ("WebP", "RGB"), ("WebP", "RGBA"), ("AVIF", "RGB"),
        ("TIFF", "RGB"),
        ("TIFF", "CMYK"), ("TIFF", "I;16"), ("GIF", "P"), ("BMP", "RGB"),
    ],
)  # fmt: skip
def test_every_format_and_mode_comes_back_marked(make, form, mode):
    source = make(form, mode)
    edited = engine.process(source, engine.Options())
    assert (edited.format, edited.width, edited.height, edited.frames) == (form, 240, 160, 1)
    assert engine.sniff(edited.data[:64]) == form
    before, after = (eight_bits(opened(data)) for data in (source, edited.data))
    changed = ImageChops.difference(before, after).convert("L").point(lambda value: 255 * (value > 40))
    share = changed.histogram()[255] / (240 * 160)
    assert 0.01 < share < 0.5


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_a_colour_mode_that_the_format_holds_stays(make, mode):
    assert marked(make("JPEG", mode)).mode == mode


def test_sixteen_bits_stay_sixteen(make):
    image = marked(make("PNG", "I;16"), position="top-left", size="0.2")
    assert image.mode == "I;16"
    assert image.getpixel((200, 150)) == opened(make("PNG", "I;16")).getpixel((200, 150))


def test_lossless_formats_are_exact_outside_the_mark(make):
    source = make("PNG", "RGBA")
    before, after = opened(source), marked(source, position="bottom-right", size="0.3")
    box = ImageChops.difference(before, after).getbbox(alpha_only=False)
    assert box[0] > 120
    assert box[1] > 80


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "I;16"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_a_tiff_stays_without_compression_or_with_it(make, mode, compression):
    source = make("TIFF", mode, compression=compression)
    after = marked(source, position="bottom-right", size="0.2")
    assert after.info["compression"] == compression
    box = (0, 0, 120, 80)
    assert (np.asarray(opened(source).crop(box)) == np.asarray(after.crop(box))).all()


def test_transparency_outside_the_mark_stays(make):
    source = make("WebP", "RGBA", lossless=True, exact=True)
    before, after = opened(source), marked(source, position="top-left", size="0.2")
    region = (120, 80, 240, 160)
    assert (
        ImageChops.difference(before.getchannel("A").crop(region), after.getchannel("A").crop(region)).getbbox() is None
    )


def test_a_jpeg_keeps_tables_subsampling_profile_and_exif(make):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    source = make("JPEG", quality=81, subsampling="4:2:2", icc_profile=srgb(), exif=exif)
    before, after = opened(source), marked(source)
    assert after.quantization == before.quantization
    assert [layer[1:3] for layer in after.layer] == [layer[1:3] for layer in before.layer]
    assert after.info["icc_profile"] == before.info["icc_profile"]
    assert after.getexif()[0x010F] == "Maker"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_mark_stands_upright_in_every_orientation(photograph, orientation):
    upright = opened(photograph("fig")).resize((300, 200))
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    files = []
    for image, value in (
        (upright, 1),
        (upright.transpose(turn[orientation]) if orientation in turn else upright, orientation),
    ):
        exif = Image.Exif()
        exif[0x0112] = value
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=95, subsampling="4:4:4", exif=exif)
        files.append(engine.process(buffer.getvalue(), engine.parse_options({"position": "top-left", "opacity": "1"})))
    plain, turned = (Image.open(BytesIO(edited.data)) for edited in files)
    plain, turned = (
        image.transpose(turn_back(image.getexif().get(0x0112, 1))) if image.getexif().get(0x0112, 1) > 1 else image
        for image in (plain, turned)
    )
    assert (files[1].width, files[1].height) == turned.size == plain.size
    difference = ImageChops.difference(plain.convert("L"), turned.convert("L")).point(lambda value: 255 * (value > 48))
    assert difference.histogram()[255] < 60


def turn_back(orientation: int) -> Image.Transpose:
    return {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }[orientation]  # fmt: skip


@pytest.mark.parametrize("size", [(16, 12), (9, 2000), (2000, 9), (17, 33), (64, 64)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP"])
@pytest.mark.parametrize("tiling", ["straight", "diagonal"])
def test_odd_sizes_are_marked(make, form, size, tiling):
    edited = engine.process(make(form, size=size), engine.parse_options({"tiling": tiling}))
    assert opened(edited.data).size == size == (edited.width, edited.height)


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (4, 3)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP"])
def test_a_picture_without_room_for_a_mark_fails(make, form, size):
    with pytest.raises(engine.EmptyMark):
        engine.process(make(form, size=size), engine.Options())


@pytest.mark.parametrize("form", ["GIF", "WebP", "PNG"])
def test_an_animation_keeps_every_frame_and_its_timing(form):
    frames = [Image.new("RGB", (120, 80), color) for color in ("navy", "maroon", "olive")]
    buffer = BytesIO()
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:], duration=[100, 250, 400], loop=0)
    edited = engine.process(buffer.getvalue(), engine.parse_options({"position": "center", "size": "0.9"}))
    result = Image.open(BytesIO(edited.data))
    assert edited.frames == result.n_frames == 3
    durations = []
    for number in range(3):
        result.seek(number)
        result.load()
        durations.append(result.info["duration"])
        assert len(result.convert("RGB").getcolors(100_000)) > 3
    assert durations == [100, 250, 400]


@pytest.mark.parametrize("form", ["GIF", "WebP", "PNG"])
def test_a_transparent_animation_is_the_same_outside_the_mark(form):
    frames = []
    for number in range(4):
        frames.append(Image.new("RGBA", (160, 120)))
        frames[-1].paste((200 - 40 * number, 60, 40 * number, 255), (number * 20, 20, number * 20 + 30, 50))
    buffer = BytesIO()
    settings = {"disposal": 2} if form == "GIF" else {"lossless": True} if form == "WebP" else {}
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:], duration=100, loop=3, **settings)
    edited = engine.process(buffer.getvalue(), engine.parse_options({"position": "bottom-right", "size": "0.4"}))
    before, after = Image.open(buffer), Image.open(BytesIO(edited.data))
    assert after.info["loop"] == 3
    for number in range(4):
        before.seek(number)
        after.seek(number)
        one, other = (np.asarray(each.convert("RGBA").crop((0, 0, 90, 100))) for each in (before, after))
        assert (one[..., 3] == other[..., 3]).all()
        assert (one == other)[one[..., 3] > 0].all()


def test_tasks_run_in_order_in_one_pass(photograph):
    options = engine.load_options(
        {"tasks": [{"task": "resize", "width": 300}, {"task": "grayscale"}, {"task": "watermark"}]}
    )
    edited = engine.process(photograph("dogs"), options)
    assert (edited.width, edited.height) == (300, 451)
    assert opened(edited.data).mode == "L"


def test_another_format_can_be_asked_for(make):
    edited = engine.process(make("PNG", "RGBA"), engine.parse_options({"format": "jpeg"}))
    assert (edited.format, edited.media_type, edited.extension) == ("JPEG", "image/jpeg", ".jpg")
    assert ".jpeg" in edited.extensions


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (b"", "empty_file"),
        (b"hello", "not_an_image"),
        (b"%PDF-1.7", "unsupported_format"),
        (b"\x89PNG\r\n\x1a\n" + b"nothing more " * 9, "damaged_image"),
    ],
)
def test_what_is_no_image_says_so(source, code):
    with pytest.raises(engine.ImageError) as caught:
        engine.process(source, engine.Options())
    assert caught.value.code == code
    assert str(caught.value).endswith(".")


def test_a_cut_off_photograph_says_so(photograph):
    with pytest.raises(engine.TruncatedImage, match="cut off"):
        engine.process(photograph("fig")[:40_000], engine.Options())


def test_pixels_are_counted_before_they_are_decoded(make):
    with pytest.raises(engine.TooManyPixels, match="at most 30,000"):
        engine.process(make("JPEG"), engine.Options(), limits=engine.Limits(max_pixels=30_000))


def test_a_large_file_is_not_opened(make):
    with pytest.raises(engine.FileTooLarge, match="million bytes"):
        engine.process(make("JPEG"), engine.Options(), limits=engine.Limits(max_bytes=1000))


def test_an_image_that_takes_too_long_says_so(photograph):
    with pytest.raises(engine.TookTooLong):
        engine.process(photograph("fig"), engine.Options(), limits=engine.Limits(seconds=0))


def test_memory_is_asked_for_before_anything_is_decoded(photograph):
    asked: list[int] = []

    def refuse(need: int) -> None:
        asked.append(need)
        raise engine.TooLargeHere

    options = (engine.Options(), engine.Options(format="PNG"))
    for run in (engine.process, engine.preview):
        for each in options:
            with pytest.raises(engine.TooLargeHere) as caught:
                run(photograph("fig"), each, admit=refuse)
            assert caught.value.code == "too_large_here"
    assert len(asked) == 4
    assert min(asked) > 1_000_000
