"""The text of a mark: placeholders and their values, forms and alternatives, and fonts in every size."""

from datetime import datetime
from io import BytesIO

import pytest
from countermark import engine
from countermark.engine import fonts, wording
from countermark.engine.details import read_details
from countermark.engine.fonts import SHIPPED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

TAGS = {0x010F: "Canon", 0x0110: "EOS R5", 0x013B: "Zoë Ä".encode(), 0x010E: "A meadow", 0x0132: "2025:03:09 17:04:05"}
TAKEN = {0xA434: "RF 24-70mm", 0x829A: 0.004, 0x829D: 2.8, 0x8827: 400}


def exif(tags: dict[int, object], taken: dict[int, object]) -> bytes:
    block = Image.Exif()
    block.update(tags)
    block.get_ifd(0x8769).update(taken)
    return block.tobytes()


def source(block: bytes = b"", form: str = "JPEG", size: tuple[int, int] = (320, 240)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, "#446688").save(buffer, form, **({"exif": block} if block else {}))
    return buffer.getvalue()


def text_of(text: str, block: bytes = b"", **known: object) -> str:
    fields = {"name": "day1/a/photo.jpg", "number": 7, "frames": 1, "taken": None, "profile": None} | known
    output = engine.Output(format="JPEG", quality="keep", metadata="keep")
    picture = engine.Picture(output=output, details=lambda: read_details(block), **fields)
    engine.parse_options({"text": text})
    return wording.filled(text, picture, None)[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{name}, {folder}", "photo.jpg, a"),
        ("{number} {counter:04}", "7 0007"),
        ("{camera} | {lens}", "Canon EOS R5 | RF 24-70mm"),
        ("{exposure} ISO {iso}", "1/250 s f/2.8 ISO 400"),
        ("{creator}: {title}", "Zoë Ä: A meadow"),
        ("{date|no date} {year|}!", "no date !"),
    ],
)
def test_placeholders_have_the_values_of_the_picture(text, shown):
    assert text_of(text, exif(TAGS, TAKEN)) == shown


def test_dates_have_forms():
    taken = datetime(2025, 3, 9, 17, 4, 5)
    assert text_of("{date} {date:%d.%m.%Y} {time} {time:%H:%M:%S} {year}", taken=taken) == (
        "2025-03-09 09.03.2025 17:04 17:04:05 2025"
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "TIFF"])
def test_every_format_tells_its_photograph(form):
    block = exif(TAGS, {**TAKEN, 0x9003: "2025:03:09 17:04:05"})
    options = engine.parse_options({"text": "{camera} {date:%Y} {creator} {iso}", "position": "center"})
    assert engine.process(source(block, form), options).format == form
    with pytest.raises(engine.EmptyMark, match="camera"):
        engine.process(source(form=form), options)


@pytest.mark.parametrize("value", [b"\0\0", "  ", "\u200b".encode()])
def test_a_value_that_draws_nothing_is_none(value):
    with pytest.raises(engine.EmptyMark, match="creator"):
        text_of("{creator}", exif({0x013B: value}, {}))


def test_a_long_value_is_cut():
    assert len(text_of("{title}", exif({0x010E: "x" * 50_000}, {}))) == wording.LONGEST_VALUE


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(9, 9), (40, 30), (64, 5000), (5000, 64), (640, 480)])
@pytest.mark.parametrize("text", ["W" * 500, "a\n" * 250, "©", "l", "W W\n" * 100, ". . . . . . . ."])
def test_a_text_of_any_length_is_drawn_or_cannot_be_seen(form, size, text):
    try:
        edited = engine.process(source(form=form, size=size), engine.parse_options({"text": text}))
    except engine.EmptyMark:
        return
    assert (edited.width, edited.height) == size


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_whatever_goes_wrong_with_a_mark_fails_its_image_alone(tmp_path, form):
    """A font that is damaged when it is drawn, on coefficients as on pixels."""
    before, font = engine.assets().folder, tmp_path / "fonts" / "own.ttf"
    font.parent.mkdir()
    font.write_bytes(engine.assets().fonts[SHIPPED].read_bytes())
    engine.use_assets(tmp_path)
    try:
        options = engine.parse_options({"text": f"damaged {form}", "font": "own"})
        font.write_bytes(b"no font")
        fonts._contents.cache_clear()
        with pytest.raises(engine.TaskFailed, match="watermark failed"):
            engine.process(source(form=form), options)
    finally:
        engine.use_assets(before)


@given(st.binary(max_size=400), st.integers(0, 300))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_damaged_block_tells_texts_or_nothing(noise, at):
    whole = bytearray(exif(TAGS, TAKEN))
    whole[at : at + len(noise)] = noise
    found = read_details(bytes(whole))
    assert all(isinstance(value, str) and value for value in found.values())


@given(st.text(min_size=1, max_size=30))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_is_drawn_or_refused(text):
    try:
        options = engine.load_options({"text": text, "size": 0.6})
        edited = engine.process(source(), options)
    except (engine.InvalidOptions, engine.EmptyMark):
        return
    assert edited.width == 320
