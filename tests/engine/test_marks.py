"""What marks are made of, and where they stand."""

import base64
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from countermark.engine import layout
from countermark.engine.cache import ByteCache
from countermark.engine.fonts import SHIPPED, missing
from PIL import Image, ImageDraw

GROUND = (60, 90, 120)
SIDE = (300 * 200) ** 0.5  # of the square that is as large as the picture: sizes are fractions of it


def png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def red_square() -> bytes:
    image = Image.new("RGBA", (80, 80))
    ImageDraw.Draw(image).rectangle((20, 20, 59, 59), fill=(255, 0, 0, 255))
    return png(image)


def inline(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def marked(canvas: tuple[int, int] = (300, 200), /, **fields: str) -> np.ndarray:
    edited = engine.process(png(Image.new("RGB", canvas, GROUND)), engine.parse_options(fields))
    return np.asarray(Image.open(BytesIO(edited.data)).convert("RGB"), dtype=np.int16)


def box(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what differs from the ground."""
    rows, columns = np.nonzero((pixels != GROUND).any(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.fixture
def folder(tmp_path):
    """A folder of assets in use for the test."""
    before = engine.assets().folder
    for name in ("marks", "fonts"):
        (tmp_path / name).mkdir()
    (tmp_path / "marks" / "studio.png").write_bytes(red_square())
    (tmp_path / "presets.toml").write_text(
        '[corner]\ntext = "© Studio"\nposition = "bottom-right"\nformat = "WebP"\n'
        '[web]\ntasks = [{task = "resize", width = 100}, {task = "watermark", text = "web"}]\n',
        encoding="utf-8",
    )
    engine.use_assets(tmp_path)
    yield tmp_path
    engine.use_assets(before)


@pytest.mark.parametrize(
    ("position", "across", "down"),
    [
        ("top-left", 0, 0), ("top", 1, 0), ("top-right", 2, 0), ("left", 0, 1), ("center", 1, 1), ("right", 2, 1),
        ("bottom-left", 0, 2), ("bottom", 1, 2), ("bottom-right", 2, 2),
    ],
)  # fmt: skip
def test_a_single_mark_stands_where_it_is_told(position, across, down):
    left, top, right, bottom = box(marked(position=position, size="0.3", margin="0.05", effect="none"))
    middle = ((left + right) / 2, (top + bottom) / 2)
    assert right - left == pytest.approx(0.3 * SIDE, abs=3)
    for value, third, length in ((middle[0], across, 300), (middle[1], down, 200)):
        assert third * length / 3 - 12 <= value <= (third + 1) * length / 3 + 12
    gaps = {0: left, 2: 300 - right}, {0: top, 2: 200 - bottom}
    for gap, third in zip(gaps, (across, down), strict=True):
        assert gap.get(third, 10) == pytest.approx(10, abs=2)


@pytest.mark.parametrize("tiling", ["straight", "staggered", "diagonal"])
def test_a_tiled_mark_covers_the_whole_picture(tiling):
    pixels = marked((600, 400), tiling=tiling, size="0.2")
    touched = (pixels != GROUND).any(axis=2)
    for part in np.split(touched, 4, axis=0):
        assert all(quarter.any() for quarter in np.split(part, 4, axis=1))


@pytest.mark.parametrize("tiling", ["straight", "staggered", "diagonal"])
@pytest.mark.parametrize("size", [(1, 1), (60_000, 1), (1, 60_000), (9_000, 9_000)])
def test_no_picture_carries_too_many_copies(tiling, size):
    plan = layout.Layout(position="tile", tiling=tiling, spacing=0, margin=0, angle=30)
    spots = layout.places(plan, size, (8, 4), (8, 2))
    assert 0 < len(spots) <= 4 * layout.MAX_COPIES


def test_the_mark_has_its_size_on_upright_and_lying_pictures():
    for size in ((400, 300), (300, 400)):
        left, _, right, _ = box(marked(size, position="center", size="50%", effect="none"))
        assert right - left == pytest.approx((size[0] * size[1]) ** 0.5 / 2, abs=3)


def test_an_opacity_is_what_stays_of_the_picture():
    half, whole = (marked(position="center", size="0.9", effect="none", opacity=each) for each in ("0.5", "1"))
    assert tuple(whole.reshape(-1, 3).max(axis=0)) == (255, 255, 255)
    assert tuple(half.reshape(-1, 3).max(axis=0)) == pytest.approx([(each + 255) / 2 for each in GROUND], abs=2)


def test_an_image_comes_with_the_options():
    pixels = marked(image=inline(red_square()), position="center", size="0.4", opacity="1")
    left, top, right, bottom = box(pixels)
    assert (right - left, bottom - top) == pytest.approx((SIDE * 0.4, SIDE * 0.4), abs=2)
    assert tuple(pixels[100, 150]) == (255, 0, 0)


def test_an_image_is_one_of_the_stored(folder):
    assert (marked(image="studio") == marked(image=inline((folder / "marks" / "studio.png").read_bytes()))).all()


def test_a_font_of_ones_own_is_used(folder):
    shipped = engine.assets().fonts[SHIPPED]
    (folder / "fonts" / "own.ttf").write_bytes(shipped.read_bytes())
    engine.use_assets(folder)
    assert (marked(text="Own", font="own") == marked(text="Own")).all()


@pytest.mark.parametrize(
    "text", ["Straße Æ ñ ž ő", "Съешь ещё этих мягких булок Їґ", "Ξεσκεπάζω την ψυχοφθόρα", "© ® ™ – … € №"]
)
def test_the_shipped_font_has_every_letter(text):
    assert missing(text, SHIPPED) == ""
    assert (marked(text=text) != GROUND).any()


def test_a_letter_that_no_font_has_is_named():
    with pytest.raises(engine.InvalidOptions, match="水"):
        engine.parse_options({"text": "水 mark"})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"image": "nothing"}, "image"),
        ({"image": "data:image/png;base64,####"}, "image"),
        ({"image": inline(b"no image")}, "image"),
        ({"image": inline(red_square()[:60])}, "image"),
        ({"image": inline(red_square()), "text": "both"}, "options"),
        ({"font": "nothing"}, "font"),
        ({"preset": "nothing"}, "preset"),
    ],
)
def test_what_a_mark_cannot_be_made_of_is_named(folder, fields, field):  # noqa: ARG001
    with pytest.raises(engine.InvalidOptions) as caught:
        engine.parse_options(fields)
    assert [error["field"] for error in caught.value.errors] == [field]


def test_a_preset_is_where_options_start(folder):  # noqa: ARG001
    options = engine.parse_options({"preset": "corner", "opacity": "0.9"})
    (task,) = options.tasks
    assert (task.text, task.position, task.opacity, options.format) == ("© Studio", "bottom-right", 0.9, "WebP")
    assert engine.load_options({"preset": "corner", "opacity": 0.9}) == options
    assert engine.load_options({"preset": "web", "format": "png"}).format == "PNG"
    (replaced,) = engine.load_options({"preset": "corner", "tasks": [{"task": "grayscale"}]}).tasks
    assert replaced.task == "grayscale"
    assert [task.task for task in engine.parse_options({"preset": "web"}).tasks] == ["resize", "watermark"]
    assert engine.options_schema()["properties"]["preset"]["enum"] == ["corner", "web"]


def test_a_preset_that_is_no_toml_says_where(folder):
    (folder / "presets.toml").write_text("= nothing", encoding="utf-8")
    engine.use_assets(folder)
    with pytest.raises(ValueError, match=r"presets\.toml"):
        engine.parse_options({"preset": "corner"})


def test_a_cache_stays_within_its_bytes():
    cache: ByteCache[bytes] = ByteCache(100, len)
    made = []

    def value(key: int, size: int) -> bytes:
        return cache.get(key, lambda: made.append(key) or bytes(size))

    for key in range(20):
        value(key, 30)
        assert cache.bytes <= 100
    value(19, 30)
    assert made.count(19) == 1
    value(0, 30)
    assert made.count(0) == 2
    assert len(value(99, 500)) == 500
    assert cache.bytes <= 100
