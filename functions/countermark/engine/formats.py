"""The image formats: what they are called, how they are recognised, what they can hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BeforeValidator


@dataclass(frozen=True, kw_only=True)
class Format:
    """One image format."""

    name: str
    media_type: str
    extensions: tuple[str, ...]  # all that a file of this format may carry; the first is the usual one
    modes: tuple[str, ...]  # Pillow modes that it can hold; others become RGB or RGBA
    deep: bool = False  # holds 16 bits for each colour
    palettes: bool = False  # holds a palette, which a single picture gets back that came with one
    animated: bool = False  # holds several frames
    longest: int | None = None  # side that it can hold, in pixels
    written: bool = True  # otherwise only read, and JPEG comes out

    @property
    def extension(self) -> str:
        """The usual extension, with its dot."""
        return self.extensions[0]


_ALL = (
    Format(
        name="JPEG",
        media_type="image/jpeg",
        extensions=(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        modes=("L", "RGB", "CMYK"),
        longest=65_500,  # libjpeg's; the format itself ends at 65,535
    ),
    Format(
        name="PNG",
        media_type="image/png",
        extensions=(".png", ".apng"),
        modes=("L", "LA", "RGB", "RGBA"),
        deep=True,
        palettes=True,
        animated=True,
    ),
    Format(
        name="WebP",
        media_type="image/webp",
        extensions=(".webp",),
        modes=("RGB", "RGBA"),
        animated=True,
        longest=16_383,
    ),
    Format(
        name="AVIF",
        media_type="image/avif",
        extensions=(".avif",),
        modes=("RGB", "RGBA"),
        animated=True,
        longest=65_536,
    ),
    Format(
        name="TIFF",
        media_type="image/tiff",
        extensions=(".tif", ".tiff"),
        modes=("L", "LA", "RGB", "RGBA", "CMYK"),
        deep=True,
        palettes=True,
        animated=True,
    ),
    Format(
        name="GIF",
        media_type="image/gif",
        extensions=(".gif",),
        modes=("L", "RGB", "RGBA"),
        animated=True,
        longest=65_535,
    ),
    Format(
        name="HEIC",
        media_type="image/heic",
        extensions=(".heic", ".heif"),
        modes=("RGB", "RGBA"),
        written=False,
    ),
    Format(name="BMP", media_type="image/bmp", extensions=(".bmp", ".dib"), modes=("L", "RGB"), palettes=True),
)

#: Name -> format, in the order in which they are offered.
FORMATS: Mapping[str, Format] = MappingProxyType({form.name: form for form in _ALL})

_HEADS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # of more than 4 GB, or made as if it were
    (b"BM", "BMP"),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def sniff(head: bytes) -> str | None:
    """Return the name of the format whose file begins with `head` (32 bytes are enough), or None."""
    for magic, name in _HEADS:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        brands = {head[start : start + 4] for start in (8, *range(16, min(len(head), 64) - 3, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIC"
    return None


def _load_name(value: object) -> object:
    """Return the name of a format however it is spelled ("jpg", "webp")."""
    return (find_format(value) or value.strip().lower()) if isinstance(value, str) else value


FormatName = Annotated[Literal["JPEG", "PNG", "WebP", "AVIF", "TIFF", "GIF", "BMP"], BeforeValidator(_load_name)]
FormatChoice = Annotated[
    Literal["keep", "JPEG", "PNG", "WebP", "AVIF", "TIFF", "GIF", "BMP"], BeforeValidator(_load_name)
]


def find_format(name: str) -> str | None:
    """Return the name of a format called `name` ("jpg", "JPEG", "tif"), or None."""
    wanted = name.strip().lower()
    for form in _ALL:
        if wanted == form.name.lower() or f".{wanted.lstrip('.')}" in form.extensions:
            return form.name
    return None
