"""What a photograph's EXIF says of how it was taken, in the words that marks show."""

import contextlib
from collections.abc import Mapping
from functools import lru_cache

from PIL import Image

from .metadata.tags import EXIF_IFD

_MAKE, _MODEL, _DESCRIPTION, _ARTIST = 0x010F, 0x0110, 0x010E, 0x013B
_LENS, _EXPOSURE_TIME, _F_NUMBER, _ISO = 0xA434, 0x829A, 0x829D, 0x8827
_XP_TITLE, _XP_AUTHOR = 0x9C9B, 0x9C9D


@lru_cache(maxsize=4)
def read_details(block: bytes) -> Mapping[str, str]:
    """Return what an EXIF block says, by the names of placeholders; what it does not say or is damaged is not there."""
    tags, taken = Image.Exif(), {}
    with contextlib.suppress(Exception):  # Pillow raises nearly anything for a damaged block
        tags.load(block)
        taken = tags.get_ifd(EXIF_IFD)
    found = {
        "camera": _camera(_text(tags.get(_MAKE)), _text(tags.get(_MODEL))),
        "lens": _text(taken.get(_LENS)),
        "exposure": _exposure(taken.get(_EXPOSURE_TIME), taken.get(_F_NUMBER)),
        "iso": _text(_first(taken.get(_ISO))),
        "creator": _text(tags.get(_ARTIST)) or _wide(tags.get(_XP_AUTHOR)),
        "title": _text(tags.get(_DESCRIPTION)) or _wide(tags.get(_XP_TITLE)),
    }
    return {name: value for name, value in found.items() if value}


def _camera(make: str, model: str) -> str:
    """Return maker and model, the maker once."""
    maker = make.split()[0] if make else ""
    return model if maker.lower() in model.lower() else f"{maker.title()} {model}".strip()


def _exposure(seconds: object, aperture: object) -> str:
    parts = []
    with contextlib.suppress(TypeError, ValueError, ArithmeticError):
        time = float(seconds)  # type: ignore[arg-type]
        if time > 0:
            parts.append(f"1/{round(1 / time)} s" if time < 0.3 else f"{time:.3g} s")
    with contextlib.suppress(TypeError, ValueError, ArithmeticError):
        number = float(aperture)  # type: ignore[arg-type]
        if number > 0:
            parts.append(f"f/{number:.3g}")
    return " ".join(parts)


def _first(value: object) -> object:
    return value[0] if isinstance(value, tuple) and value else value


def _text(value: object) -> str:
    """Return a value as text, read as UTF-8 where it is that, as most writers have it."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str | int) or isinstance(value, bool):
        return ""
    text = str(value).split("\0")[0].strip()
    with contextlib.suppress(UnicodeError):
        return text.encode("latin-1").decode("utf-8")
    return text


def _wide(value: object) -> str:
    """Return a text of Windows, in UTF-16."""
    raw = bytes(value) if isinstance(value, bytes | tuple) and all(0 <= each < 256 for each in value) else b""
    return raw.decode("utf-16-le", "ignore").split("\0")[0].strip()
