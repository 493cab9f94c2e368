"""Real photographs and small pictures of every kind."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.engine import heic  # noqa: F401 - Pillow then writes it

PHOTOGRAPHS = Path(__file__).parent.parent / "photographs"


@pytest.fixture(scope="session")
def photograph() -> Callable[[str], bytes]:
    """Return the bytes of one of the JPEG photographs."""
    return lambda name: (PHOTOGRAPHS / f"{name}.jpg").read_bytes()


@pytest.fixture
def make() -> Callable[..., bytes]:
    """Return a maker of files: a real photograph in any mode, size and format."""

    def make(form: str, mode: str = "RGB", size: tuple[int, int] = (240, 160), **settings: object) -> bytes:
        image = Image.open(PHOTOGRAPHS / "brushes.jpg").resize(size)
        if "A" in mode:
            image.putalpha(Image.linear_gradient("L").resize(size))
        image = (
            image.convert("L").convert("I;16").point(lambda value: value * 257)
            if mode == "I;16"
            else image.convert(mode)
        )
        buffer = BytesIO()
        image.save(buffer, form, **settings)
        return buffer.getvalue()

    return make
