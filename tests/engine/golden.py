"""The golden sheet: marked photographs in every format, mode and way of marking, small, on one picture.

`python -m tests.engine.golden` draws it anew; look at it before committing it.
"""

import math
from io import BytesIO
from pathlib import Path

from countermark import engine
from PIL import Image

from tests.engine import heic  # noqa: F401 - Pillow then writes it

PHOTOGRAPHS = Path(__file__).parent.parent / "photographs"
SHEET = Path(__file__).with_name("golden.webp")
CELL, COLUMNS = (120, 80), 6
PHOTOS = ("brushes", "dandelion", "fig", "meadow", "sunset")

#: Name -> format, mode and settings of the source, and options of the mark.
CASES: dict[str, tuple[str, str, dict[str, object], dict[str, str]]] = {
    "jpeg": ("JPEG", "RGB", {"subsampling": "4:2:0"}, {}),
    "jpeg progressive": ("JPEG", "RGB", {"progressive": True}, {"color": "yellow"}),
    "jpeg 4:4:4": ("JPEG", "RGB", {"subsampling": "4:4:4"}, {"color": "red", "tiling": "diagonal"}),
    "jpeg grey": ("JPEG", "L", {}, {"position": "center"}),
    "jpeg cmyk": ("JPEG", "CMYK", {}, {"color": "#00aa00", "position": "center", "size": "0.9"}),
    "jpeg pixels": ("JPEG", "RGB", {}, {"quality": "90"}),
    "png": ("PNG", "RGB", {}, {"tiling": "staggered"}),
    "png alpha": ("PNG", "RGBA", {}, {"size": "0.6"}),
    "png palette": ("PNG", "P", {}, {"text": "Palette", "position": "bottom"}),
    "png bilevel": ("PNG", "1", {}, {"text": "1 bit", "position": "top"}),
    "png grey alpha": ("PNG", "LA", {}, {"position": "left", "size": "0.5"}),
    "png 16 bit": ("PNG", "I;16", {}, {"position": "right", "size": "0.5"}),
    "webp": ("WebP", "RGB", {}, {"position": "top-left", "size": "0.5", "opacity": "1"}),
    "webp alpha": ("WebP", "RGBA", {"lossless": True}, {"position": "top-right", "size": "0.5"}),
    "avif": ("AVIF", "RGB", {}, {"position": "bottom-left", "size": "0.5"}),
    "heic": ("HEIF", "RGB", {}, {"position": "bottom-right", "size": "0.5"}),
    "tiff": ("TIFF", "RGB", {}, {"rotation": "-45"}),
    "tiff cmyk": ("TIFF", "CMYK", {}, {"color": "#0044ff", "opacity": "0.8"}),
    "tiff 16 bit": ("TIFF", "I;16", {}, {"position": "center", "size": "0.9"}),
    "gif": ("GIF", "P", {}, {"size": "0.7"}),
    "bmp": ("BMP", "RGB", {}, {"rotation": "90", "size": "0.3"}),
    "latin": ("JPEG", "RGB", {}, {"text": "Straße, ©\nÀgréable", "effect": "outline", "color": "black"}),
    "cyrillic": ("JPEG", "RGB", {}, {"text": "Образец Ђ", "position": "center", "size": "0.9"}),
    "greek": ("JPEG", "RGB", {}, {"text": "Δείγμα Ω", "position": "center", "size": "0.9", "effect": "none"}),
    "multiply": ("PNG", "RGB", {}, {"blend": "multiply", "color": "#cc0066", "opacity": "1", "size": "0.8"}),
    "screen": ("PNG", "RGBA", {}, {"blend": "screen", "color": "#0066cc", "opacity": "1", "size": "0.8"}),
    "multiply cmyk": ("JPEG", "CMYK", {}, {"blend": "multiply", "color": "#cc0066", "opacity": "1", "size": "0.8"}),
    "tiny marks": ("JPEG", "RGB", {}, {"size": "0.08", "spacing": "0.8"}),
    "grayscale": ("JPEG", "RGB", {}, {"task": "grayscale"}),
    "resize": ("PNG", "RGBA", {}, {"task": "resize", "width": "60"}),
}  # fmt: skip


def source(number: int, form: str, mode: str, settings: dict[str, object]) -> bytes:
    """Return a photograph as a file of a format and mode."""
    image = Image.open(PHOTOGRAPHS / f"{PHOTOS[number % len(PHOTOS)]}.jpg").resize((480, 320))
    if "A" in mode:
        image.putalpha(Image.radial_gradient("L").resize(image.size).point(lambda value: 255 - value))
    deep = mode == "I;16"
    image = image.convert("L").convert(mode).point(lambda value: value * 257) if deep else image.convert(mode)
    buffer = BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()


def cell(name: str) -> Image.Image:
    """Return the small marked picture of a case."""
    form, mode, settings, options = CASES[name]
    edited = engine.process(source(list(CASES).index(name), form, mode, settings), engine.parse_options(options))
    image = Image.open(BytesIO(edited.data))
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value / 256).convert("L")
    ground = Image.new("RGBA", image.size, "#77aa77")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB").resize(CELL, Image.Resampling.BOX)


def place(name: str) -> tuple[int, int, int, int]:
    """Return where a case stands on the sheet."""
    row, column = divmod(list(CASES).index(name), COLUMNS)
    return column * CELL[0], row * CELL[1], (column + 1) * CELL[0], (row + 1) * CELL[1]


def draw() -> Image.Image:
    """Return the whole sheet."""
    sheet = Image.new("RGB", (COLUMNS * CELL[0], math.ceil(len(CASES) / COLUMNS) * CELL[1]))
    for name in CASES:
        sheet.paste(cell(name), place(name))
    return sheet


if __name__ == "__main__":
    draw().save(SHEET, lossless=True, quality=100, method=6)
