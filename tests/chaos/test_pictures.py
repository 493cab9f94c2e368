"""A picture says what it is after it was marked, in every format, and a wrong one is never taken for it."""

import io

import pytest
from countermark.engine import load_options, process
from PIL import Image

from tests.chaos.pictures import KINDS, STYLES, Seen, Style, Unreadable, draw, read

FORMATS = ["keep", "jpeg", "png", "webp"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("style", STYLES, ids=str)
def test_a_marked_picture_tells_number_version_and_options(kind: str, format_: str, style: Style) -> None:
    number, version = 54_321 + STYLES.index(style), STYLES.index(style) % 64
    original = draw(number, version, kind)
    assert read(original) == Seen(number, version, None)
    result = process(original, load_options(style.document(format=format_)))
    assert read(result.data) == Seen(number, version, style)


def test_a_damaged_picture_is_not_read() -> None:
    image = Image.open(io.BytesIO(draw(12, 3, "png")))
    image.paste((255, 255, 255), (64, 0, 96, 64))
    out = io.BytesIO()
    image.save(out, "PNG")
    with pytest.raises(Unreadable):
        read(out.getvalue())
    with pytest.raises(Unreadable):
        read(draw(12, 3, "png")[:200])
