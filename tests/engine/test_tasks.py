"""The built-in tasks, and one of one's own."""

from io import BytesIO
from typing import Literal

import numpy as np
import pytest
from countermark import engine
from PIL import Image, ImageOps


def run(source: bytes, *tasks: dict[str, object], **options: object) -> engine.Edited:
    return engine.process(source, engine.load_options({"tasks": tasks, **options}))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ({"width": 400}, (400, 271)),
        ({"height": 203}, (300, 203)),
        ({"width": 400, "height": 100}, (148, 100)),
        ({"width": 5000}, (1200, 812)),
        ({"width": 2400, "enlarge": True}, (2400, 1624)),
    ],
)
def test_resize_fits_the_picture(photograph, box, expected):
    edited = run(photograph("fig"), {"task": "resize", **box})
    assert (edited.width, edited.height) == expected == Image.open(BytesIO(edited.data)).size


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "AVIF", "TIFF", "GIF", "BMP"])
def test_convert_writes_every_format(photograph, form):
    edited = run(
        photograph("dogs"), {"task": "resize", "width": 200}, {"task": "convert", "format": form, "quality": 80}
    )
    assert edited.format == form == engine.sniff(edited.data[:64])
    assert Image.open(BytesIO(edited.data)).size == (200, 300)


def test_a_lower_quality_takes_fewer_bytes(photograph):
    sizes = [len(run(photograph("dogs"), {"task": "convert", "quality": quality}).data) for quality in (30, 60, 95)]
    assert sizes == sorted(sizes)


def test_strip_removes_metadata_and_touches_no_pixel(photograph):
    exif = Image.Exif()
    exif[0x010F] = "Countermaker"
    buffer = BytesIO()
    Image.open(BytesIO(photograph("fig"))).save(buffer, "JPEG", quality="keep", exif=exif)
    edited = run(buffer.getvalue(), {"task": "strip"})
    assert b"Countermaker" in buffer.getvalue()
    assert b"Countermaker" not in edited.data
    before, after = (np.asarray(Image.open(BytesIO(data))) for data in (buffer.getvalue(), edited.data))
    assert (before == after).all()


@pytest.mark.parametrize(
    ("task", "grey"),
    [
        ({"task": "grayscale"}, True),
        ({"task": "resize", "width": 100}, True),
        ({"task": "watermark"}, True),
        ({"task": "watermark", "color": "#808080"}, True),
        ({"task": "watermark", "color": "orange"}, False),
    ],
)
def test_what_keeps_a_grey_picture_grey_says_so(make, task, grey):
    (known,) = engine.load_options({"tasks": [task]}).tasks
    assert known.keeps_grey is grey
    for mode in ("L", "LA"):
        assert (Image.open(BytesIO(run(make("PNG", mode), task).data)).mode == mode) is grey


def test_grayscale_takes_the_colours_away(photograph, make):
    assert Image.open(BytesIO(run(photograph("fig"), {"task": "grayscale"}).data)).mode == "L"
    assert Image.open(BytesIO(run(make("PNG", "RGBA"), {"task": "grayscale"}).data)).mode == "LA"


def test_heic_comes_out_as_jpeg(make):
    edited = engine.process(make("HEIF"), engine.Options())
    assert (edited.format, edited.width, edited.height) == ("JPEG", 240, 160)


def test_a_cmyk_photograph_becomes_rgb_where_the_format_needs_it(make):
    edited = run(make("JPEG", "CMYK"), {"task": "convert", "format": "PNG"})
    plain = np.asarray(Image.open(BytesIO(make("JPEG", "RGB"))), dtype=float)
    assert np.abs(np.asarray(Image.open(BytesIO(edited.data)), dtype=float) - plain).mean() < 8


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP"])
def test_a_preview_shows_the_mark_that_the_result_has(photograph, form):
    buffer = BytesIO()
    Image.open(BytesIO(photograph("sunset"))).save(buffer, form, quality=95, lossless=True)
    options = engine.parse_options({"size": "0.5", "position": "center", "opacity": "0.9"})
    small = engine.preview(buffer.getvalue(), options, longest=300)
    assert (small.format, small.width, small.height) == ("JPEG", 300, 200)
    whole = Image.open(BytesIO(engine.process(buffer.getvalue(), options).data)).convert("RGB").resize((300, 200))
    shown = Image.open(BytesIO(small.data))
    assert np.abs(np.asarray(whole, dtype=float) - np.asarray(shown, dtype=float)).mean() < 5


def test_a_preview_keeps_transparency_and_drops_metadata(make):
    small = engine.preview(make("PNG", "RGBA", exif=b"Exif\0\0II*\0"), engine.Options(), longest=100)
    image = Image.open(BytesIO(small.data))
    assert (small.format, image.mode, image.size) == ("PNG", "RGBA", (100, 67))


@engine.register
class Mirror(engine.ImageTask):
    """A task of an administrator's."""

    task: Literal["mirror"] = "mirror"

    fail: bool = False

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:
        if self.fail:
            raise RuntimeError(f"no mirror for {picture.name}")
        return ImageOps.mirror(image)


@engine.register
class Forgetful(engine.ImageTask):
    """A task whose author forgot to return the picture."""

    task: Literal["forgetful"] = "forgetful"

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:  # noqa: ARG002
        ImageOps.mirror(image)


def test_a_registered_task_runs_like_any_other(make):
    edited = run(make("PNG"), {"task": "mirror"})
    before = Image.open(BytesIO(make("PNG")))
    assert (np.asarray(ImageOps.mirror(before)) == np.asarray(Image.open(BytesIO(edited.data)))).all()
    assert "mirror" in engine.options_schema()["$defs"]


def test_a_task_that_raises_fails_its_image_with_the_reason(make):
    with pytest.raises(engine.TaskFailed, match="mirror failed: no mirror for image"):
        run(make("PNG"), {"task": "mirror", "fail": True})


def test_a_task_that_forgets_to_return_the_image_is_told_so(make):
    with pytest.raises(engine.TaskFailed, match="forgetful failed: edit returned None, and not an image"):
        run(make("PNG"), {"task": "forgetful"})


def test_an_unfinished_task_is_refused_at_once():
    class Unfinished(engine.ImageTask):
        task: Literal["unfinished"] = "unfinished"

    class Nameless(engine.ImageTask):
        def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:  # noqa: ARG002
            return image

    class Double(engine.ImageTask):
        task: Literal["mirror"] = "mirror"

        def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:  # noqa: ARG002
            return image

    with pytest.raises(TypeError, match="edit"):
        engine.register(Unfinished)
    with pytest.raises(TypeError, match="name"):
        engine.register(Nameless)
    with pytest.raises(ValueError, match="mirror"):
        engine.register(Double)
