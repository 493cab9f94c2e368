"""The fonts of text marks: the one that ships, and those of a folder of one's own."""

from pathlib import Path

from PIL import ImageFont

_HERE = Path(__file__).parent
_DEFAULT = _HERE / "Roboto-Medium.ttf"


def open_font(size: float) -> ImageFont.FreeTypeFont:
    """Return the shipped font (Latin, Cyrillic, Greek) at `size` pixels.

    A font object belongs to one thread, so every caller opens its own.
    """
    return ImageFont.truetype(_DEFAULT, size)
