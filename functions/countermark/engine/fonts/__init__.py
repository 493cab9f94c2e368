"""The fonts of text marks: the one that ships (Latin, Cyrillic, Greek), and those of the folder of assets."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path

from PIL import ImageFont

from ..assets import assets

SHIPPED = "Roboto-Medium"
_NOWHERE = "\U0010ffff"  # no font has this character: what it draws is its sign for a missing one
_TRIAL = 16.0


def open_font(size: float, name: str = SHIPPED) -> ImageFont.FreeTypeFont:
    """Return a font at `size` pixels; KeyError when there is none of this name.

    A font object belongs to one thread, so every caller opens its own.
    """
    return _opened(assets().fonts[name], size)


def load_font(name: str) -> None:
    """Read a font, which then is opened without its file."""
    _contents(assets().fonts[name])


@lru_cache(maxsize=64)
def _contents(path: Path) -> bytes:
    return path.read_bytes()


def _opened(path: Path, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BytesIO(_contents(path)), size)


def find_font(text: str, wanted: str | None) -> str:
    """Return the name of the font that lacks the fewest characters of `text`; `wanted` comes first among equals."""
    names = list(assets().fonts)
    order = [name for name in (wanted, SHIPPED) if name in names] + names
    return min(order, key=lambda name: len(missing(text, name)))


def missing(text: str, name: str) -> str:
    """Return the characters of `text` that a font does not have; the end of a line is none."""
    return _missing("".join(sorted(set(text) - {"\n"})), assets().fonts[name])


def has_ink(line: str, name: str) -> bool:
    """Tell whether anything is drawn of a line of text."""
    return _opened(assets().fonts[name], _TRIAL * 4).getmask(line).getbbox() is not None


@lru_cache(maxsize=1024)
def _missing(characters: str, path: Path) -> str:
    font = _opened(path, _TRIAL)
    nothing = _drawn(font, _NOWHERE)
    return "".join(each for each in characters if _drawn(font, each) in {nothing, None})


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes] | None:
    """Return what a font draws of a character; None when that cannot be drawn by any, as half of one."""
    try:
        mask = font.getmask(character)
    except (RuntimeError, ValueError):  # of Raqm, and of an encoder
        return None
    return mask.size, bytes(mask)
