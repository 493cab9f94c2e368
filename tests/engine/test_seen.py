"""No picture is delivered as marked on which the mark cannot be seen: it fails with empty_mark, or its options do."""

import base64
import sys
import unicodedata
from io import BytesIO
from typing import Literal

import numpy as np
import pytest
from countermark import engine
from countermark.engine import stencil
from countermark.engine.ground import luminance
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

FORMS = ["JPEG", "PNG", "WebP", "TIFF", "GIF", "BMP", "AVIF"]
slowly = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def written(image: Image.Image, form: str = "PNG", **fields: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **fields)
    return buffer.getvalue()


def plain(color: object, size: tuple[int, int] = (160, 120), form: str = "PNG", mode: str = "RGB") -> bytes:
    return written(Image.new(mode, size, color), form)


def logo(alpha: int, color: tuple[int, int, int] = (255, 0, 0)) -> str:
    image = Image.new("RGBA", (80, 40))
    image.paste((*color, alpha), (10, 10, 70, 30))
    return "data:image/png;base64," + base64.b64encode(written(image)).decode()


def marked(source: bytes, name: str = "image", **fields: str) -> engine.Edited:
    return engine.process(source, engine.parse_options(fields), name=name)


@engine.register
class Cover(engine.ImageTask):
    """A task that leaves nothing of the picture."""

    task: Literal["cover"] = "cover"

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:  # noqa: ARG002
        return Image.new(image.mode, image.size)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("color", ["white", "black", "#808080", "#3060c0"])
def test_a_mark_in_the_colour_of_the_ground_fails(form, color):
    rgb = {"white": (255,) * 3, "black": (0,) * 3, "#808080": (128,) * 3, "#3060c0": (48, 96, 192)}[color]
    with pytest.raises(engine.EmptyMark):
        marked(plain(rgb, form=form), color=color, effect="none")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("side", [3, 4, 5, 6])
def test_a_picture_that_is_too_small_is_told_so(form, side):
    with pytest.raises(engine.EmptyMark, match=f"of {side} x {side} pixels is too small for a mark that can be seen"):
        marked(plain("#5a7828", (side, side), form))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF"])
@pytest.mark.parametrize("level", [0, 100, 128, 255])
@pytest.mark.parametrize("position", ["tile", "auto", "center"])
def test_an_automatic_mark_is_seen_on_any_ground(form, level, position):
    source = plain((level,) * 3, form=form)
    edited = marked(source, position=position)
    after = np.asarray(Image.open(BytesIO(edited.data)).convert("L"), dtype=int)
    assert (abs(after - level) > 30).sum() > 60


@pytest.mark.parametrize("level", range(0, 256, 30))
def test_letters_or_outline_have_a_contrast_of_three_to_any_ground(level):
    edited = marked(plain((level,) * 3, (600, 450)), position="center", size="0.6")
    after = luminance(np.asarray(Image.open(BytesIO(edited.data)).convert("L")) / 255)
    ground = float(luminance(np.array(level / 255)))
    common = [value for value, times in zip(*np.unique(after, return_counts=True), strict=True) if times > 700]
    assert max((max(each, ground) + 0.05) / (min(each, ground) + 0.05) for each in common) >= 3


@pytest.mark.parametrize(
    "fields",
    [
        {"blend": "multiply", "color": "#fefefe", "effect": "none"},
        {"blend": "screen", "color": "#010101", "effect": "none"},
        {"opacity": "0.02", "quality": "30", "format": "JPEG"},
        {"opacity": "0.02", "quality": "1", "format": "WebP"},
        {"text": "{date}"},
        {"text": "{camera} {iso}"},
        {"text": "{date|} {folder|}"},
        {"text": "{name}"},
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_what_cannot_be_known_before_fails_with_a_sentence(photograph, form, fields):
    image = Image.open(BytesIO(photograph("meadow"))).resize((300, 200))
    with pytest.raises(engine.EmptyMark) as caught:
        marked(written(image, form), name="水", **fields)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "fields",
    [
        {"image": logo(0)},
        {"image": logo(2)},
        {"image": logo(40), "opacity": "0.05"},
        {"opacity": "0.004"},
        {"blend": "multiply", "color": "white", "effect": "none"},
        {"blend": "screen", "color": "black", "effect": "none"},
        {"color": "as-is"},
        {"text": "\u200b\u200e\ufe0f \u2060"},
        {"text": "{date:%Q}"},
        {"text": "{name:04}"},
        {"text": "{date|水}"},
        {"text": "{}"},
    ],
)
def test_what_can_be_known_before_is_refused(fields):
    with pytest.raises(engine.InvalidOptions):
        engine.parse_options(fields)


def test_no_character_is_a_mark_by_itself_that_draws_nothing():
    """Control, format, separator and variation characters, halves, and what no font has: every one of Unicode."""
    kinds = {"Cc", "Cf", "Cs", "Cn", "Co", "Zs", "Zl", "Zp"}
    unseen = [each for each in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(each) in kinds]
    chosen = [each for each in unseen if unicodedata.category(each) in {"Cf", "Zs", "Zl", "Zp"}] + unseen[:65]
    chosen += unseen[:: len(unseen) // 20] + [chr(each) for each in (*range(0xFE00, 0xFE10), 0x034F, 0x3164, 0xD800)]
    for text in chosen:
        with pytest.raises(engine.InvalidOptions):
            engine.load_options({"text": text})


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP"])
def test_what_shows_on_transparency_is_looked_at_as_it_is_written(form):
    source = plain((10, 20, 30, 0), mode="RGBA")
    fields = {"format": form, "color": "white", "effect": "none"}
    if form == "JPEG":  # which has no transparency: white on the white that stands for it
        with pytest.raises(engine.EmptyMark):
            marked(source, **fields)
    else:
        assert marked(source, **fields).format == form
    assert engine.preview(source, engine.parse_options(fields)).format == "PNG"


@pytest.mark.parametrize(
    ("color", "later"),
    [("white", {"task": "cover"}), ("white", {"task": "resize", "width": 3}), ("#ff0000", {"task": "grayscale"})],
)
def test_what_later_tasks_take_away_is_not_delivered_as_marked(color, later):
    mark = {"task": "watermark", "color": color, "effect": "none", "opacity": 1}
    with pytest.raises(engine.EmptyMark):
        engine.process(plain((76, 76, 76)), engine.load_options({"tasks": [mark, later]}))
    two = [{**mark, "color": "#00ff00"}, {"task": "resize", "width": 120}, {**mark, "color": "blue"}]
    assert engine.process(plain((76, 76, 76)), engine.load_options({"tasks": two})).width == 120


def test_every_mark_must_be_seen_and_on_every_frame():
    unseen = {"task": "watermark", "color": "white", "effect": "none"}
    for form in ("JPEG", "PNG"):
        with pytest.raises(engine.EmptyMark):
            engine.process(plain("white", form=form), engine.load_options({"tasks": [unseen, {"task": "watermark"}]}))
    frames = [Image.new("RGB", (160, 120), color) for color in ("navy", "white")]
    source = written(frames[0], "WebP", save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(engine.EmptyMark):
        engine.process(source, engine.load_options({"tasks": [unseen]}))
    assert engine.process(source, engine.Options()).frames == 2


@pytest.mark.parametrize("size", [(8000, 60), (60, 5000), (3000, 20), (48, 48), (3000, 400)])
@pytest.mark.parametrize(
    "fields",
    [{}, {"text": "© A long line for a narrow picture\nand more"}, {"position": "bottom-left", "margin": "0.5"}],
)
def test_a_whole_mark_stands_on_any_picture(size, fields):
    ground = 90
    after = np.asarray(Image.open(BytesIO(marked(plain((ground,) * 3, size), **fields).data)).convert("L"), dtype=int)
    changed = abs(after - ground) > 3
    assert changed.sum() > 60
    assert not any(edge.any() for edge in (changed[0], changed[-1], changed[:, 0], changed[:, -1]))


@given(
    st.sampled_from(["JPEG", "PNG", "WebP", "GIF"]),
    st.sampled_from([(40, 30), (130, 90), (64, 300)]),
    st.integers(0, 255),
    st.fixed_dictionaries(
        {"color": st.sampled_from(["white", "black", "#808080", "auto", "#202020"])},
        optional={
            "opacity": st.sampled_from(["0.02", "0.04", "0.1", "0.5", "1"]),
            "effect": st.sampled_from(["none", "shadow", "outline"]),
            "quality": st.sampled_from(["1", "20", "60", "95"]),
            "blend": st.sampled_from(["multiply", "screen"]),
            "text": st.sampled_from(["©", "A long text on a small picture", ".", "{name|x}"]),
            "position": st.sampled_from(["tile", "auto", "top-left"]),
            "format": st.sampled_from(["JPEG", "PNG", "AVIF"]),
        },
    ),
)
@slowly
def test_what_is_delivered_shows_its_mark(form, size, level, fields):
    try:
        options = engine.parse_options(fields)
    except engine.InvalidOptions:
        assume(False)
    image = Image.new("RGB", size, (level,) * 3)
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 3, size[1]), fill=(255 - level,) * 3)
    source = written(image, form)
    try:
        data = engine.process(source, options).data
    except engine.EmptyMark:
        return
    unmarked = engine.process(source, options.model_copy(update={"tasks": ()})).data
    one, other = (np.asarray(Image.open(BytesIO(each)).convert("RGB"), dtype=int) for each in (unmarked, data))
    assert (abs(one - other).max(axis=2) >= 4).sum() >= 12


def test_marks_of_one_size_are_prepared_in_two_colours_at_most(photograph, monkeypatch):
    made = []
    real = stencil._cut
    monkeypatch.setattr(stencil, "_cut", lambda *given: made.append(given) or real(*given))
    for name in ("brushes", "dandelion", "dogs", "fig", "meadow", "sunset"):
        image = Image.open(BytesIO(photograph(name))).resize((1000, 752))
        for source in (written(image, "JPEG"), written(image.point(lambda value: value // 3), "JPEG")):
            engine.process(source, engine.parse_options({"text": "Cached", "opacity": "0.7"}))
    assert 1 <= len(made) <= 2


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize(("calm", "corner"), [((1, 1), "bottom-right"), ((0, 0), "top-left"), ((1, 0), "top-right")])
def test_an_automatic_position_is_the_calmest_corner(form, calm, corner):
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    noise[calm[1] * 150 : calm[1] * 150 + 150, calm[0] * 200 : calm[0] * 200 + 200] = 120
    source = written(Image.fromarray(noise), form, quality=95)
    assert marked(source, position="auto").data == marked(source, position=corner).data


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_mark_is_light_on_dark_and_dark_on_light(form):
    image = Image.new("L", (800, 600), 20).convert("RGB")
    image.paste((235,) * 3, (400, 0, 800, 600))
    after = np.asarray(Image.open(BytesIO(marked(written(image, form)).data)).convert("L"), dtype=int)
    assert after[:, :340].max() > 150
    assert after[:, 460:].min() < 110


@pytest.mark.parametrize(("color", "level"), [("white", 255), ("black", 0), ("auto", 255), ("#00ff00", None)])
@pytest.mark.parametrize("alpha", [255, None])
def test_an_image_is_painted_in_a_colour(color, level, alpha):
    """A picture without transparency has the form of what differs from its corner."""
    mark = logo(255)
    if alpha is None:
        opaque = Image.new("RGB", (80, 40), "white")
        opaque.paste((200, 0, 0), (10, 10, 70, 30))
        mark = "data:image/png;base64," + base64.b64encode(written(opaque)).decode()
    fields = {"image": mark, "color": color, "opacity": "1", "position": "center", "effect": "none", "size": "0.5"}
    after = np.asarray(Image.open(BytesIO(marked(plain((60, 60, 60)), **fields).data)))
    assert tuple(after[60, 80]) == ((0, 255, 0) if level is None else (level,) * 3)
    assert tuple(after[2, 2]) == (60, 60, 60)


@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
def test_inks_that_change_places_are_no_mark(form):
    ground = written(Image.new("RGB", (640, 480), "#808080").convert("CMYK"), form)
    mark = {"text": "A mark", "color": "black", "effect": "none", "position": "center", "size": "1"}
    with pytest.raises(engine.EmptyMark):
        marked(ground, **mark, opacity="0.1")
    after = Image.open(BytesIO(marked(ground, **mark, opacity="0.4").data)).convert("RGB")
    before = Image.open(BytesIO(ground)).convert("RGB")
    assert np.abs(np.asarray(before).astype(int) - np.asarray(after)).max() >= 4


@pytest.mark.parametrize("form", ["PNG", "WebP"])
def test_alpha_that_nobody_sees_on_any_ground_is_no_mark(form):
    ground = plain((0, 0, 0, 0), (640, 480), mode="RGBA")
    mark = {"text": "A mark", "color": "#808080", "effect": "none", "position": "center", "size": "1", "format": form}
    with pytest.raises(engine.EmptyMark):
        marked(ground, **mark, opacity="0.02")
    assert marked(ground, **mark, opacity="0.2")


@pytest.mark.parametrize("size", [(1600, 1200), (1600, 1000), (1700, 1000), (2000, 900)])
def test_parts_that_are_looked_at_are_of_the_whole_mark(size):
    """Of 80 copies or 84: it must not be the same part of each."""
    image = Image.new("RGBA", (240, 240), (255, 255, 255, 255))
    image.paste((255, 0, 0, 255), (0, 0, 62, 62))
    mark = "data:image/png;base64," + base64.b64encode(written(image)).decode()
    fields = {"image": mark, "rotation": "0", "size": "0.1", "opacity": "1", "spacing": "0", "tiling": "straight"}
    with pytest.raises(engine.EmptyMark):
        marked(plain((255, 255, 255), size), **fields)


@engine.register
class Trim(engine.ImageTask):
    """A task that cuts off what is not white."""

    task: Literal["trim"] = "trim"

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:  # noqa: ARG002
        dark = image.convert("L").point(lambda value: 255 * (value < 250)).getbbox()
        return image.crop((0, 0, image.width, dark[1])) if dark else image


def test_a_task_that_makes_another_size_of_a_marked_picture_fails():
    with pytest.raises(engine.EmptyMark, match="another size"):
        marked(
            plain((255, 255, 255), (640, 480)),
            tasks='[{"task": "watermark", "position": "bottom", "color": "black"}, {"task": "trim"}]',
        )
