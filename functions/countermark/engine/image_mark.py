"""Marks made of an image: one of the folder of assets, or one that came with the options."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from .assets import assets

LONGEST = 2_000_000  # characters of an image that came with the options, about 1.5 million bytes
_MOST_PIXELS = 25_000_000
_OPAQUE = 250  # alpha that counts as all
_BYTES_A_PIXEL = 16  # decoded, with its copies
_FORMATS = ("PNG", "WEBP", "JPEG")
_INLINE = re.compile(r"data:image/(?:png|webp|jpeg);base64,(?P<data>[A-Za-z0-9+/=\s]+)")


@dataclass(frozen=True, kw_only=True)
class ImageMark:
    """An image file that a mark is made of, known by its digest."""

    digest: str
    data: bytes
    strongest: int  # its largest alpha, 0 to 255

    def __hash__(self) -> int:
        """Return the digest's, not that of a million bytes."""
        return hash(self.digest)

    def open(self) -> Image.Image:
        """Return the image as RGBA, cropped to what is not transparent."""
        image = _decoded(Image.open(BytesIO(self.data), formats=_FORMATS))
        return image.crop(image.getchannel("A").getbbox() or (0, 0, 1, 1))

    def shape(self) -> Image.Image:
        """Return its form as L: what is opaque, or what differs from the corner when all of it is."""
        image = self.open()
        alpha = image.getchannel("A")
        if min(alpha.tobytes()) < _OPAQUE:
            return alpha
        plain = image.convert("RGB")
        corner = Image.new("RGB", image.size, plain.getpixel((0, 0)))
        red, green, blue = ImageChops.difference(plain, corner).split()
        form = ImageOps.autocontrast(ImageChops.lighter(ImageChops.lighter(red, green), blue), ignore=0)
        return form.crop(form.getbbox()) if form.getbbox() else alpha


def find_image(value: str) -> ImageMark:
    """Return the image that `value` names or holds as a data: URL; ValueError says what is allowed."""
    if value.startswith("data:"):
        return _inline(value)
    path = assets().marks.get(value)
    if path is None:
        known = ", ".join(assets().marks) or "none here"
        raise ValueError(f'An image is the name of a stored mark ({known}) or "data:image/png;base64,...".')
    return _stored(path)


def load_mark(name: str) -> None:
    """Read a stored mark, which then is found without its file."""
    _stored(assets().marks[name])


def memory_of(value: str) -> int:
    """Return the bytes that are needed to make a mark of the image that `value` names, by its header alone."""
    data = _data_of(value) if value.startswith("data:") else find_image(value).data
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):  # which is said when the options are read
        return 0
    return _needed(image)


def examine(data: bytes, admit: Callable[[int], None] = lambda _: None) -> int:
    """Decode an image that is to be a mark, and return its largest alpha; ValueError says why it can't be one.

    `admit` is asked before it takes memory.
    """
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError(f"The image of the mark has more than {_MOST_PIXELS // 1_000_000} million pixels.")
        admit(_needed(image))
        decoded = _decoded(image)
    except (UnidentifiedImageError, OSError, SyntaxError):
        raise ValueError("The image of the mark is no PNG, WebP or JPEG, or it is damaged.") from None
    _, strongest = decoded.getchannel("A").getextrema()
    return int(strongest)  # type: ignore[arg-type]  # of one band


def _decoded(image: Image.Image) -> Image.Image:
    """Return the picture of a file, of which nothing has been decoded, as RGBA."""
    from .samples import decoded  # late: it is made of marks, and these of images

    return decoded(image).convert("RGBA")


def _needed(image: Image.Image) -> int:
    """Return the bytes that decoding an image takes, of which nothing has been decoded."""
    from .samples import is_deep  # late: the same

    return image.width * image.height * _BYTES_A_PIXEL * (2 if is_deep(image) else 1)


@lru_cache(maxsize=64)
def _stored(path: Path) -> ImageMark:
    """Return an administrator's image, which is no stranger's."""
    data = path.read_bytes()
    return _known(data, examine(data))


@lru_cache(maxsize=8)
def _inline(value: str) -> ImageMark:
    data = _data_of(value)
    if not data:
        raise ValueError('An image that comes with the options is a PNG, WebP or JPEG as "data:image/png;base64,...".')
    from .cell import look  # late: cells are made of all this

    return _known(data, look(data))


def _data_of(value: str) -> bytes:
    """Return the file in a data: URL, nothing when there is none."""
    match = _INLINE.fullmatch(value)
    try:
        return base64.b64decode(match["data"] if match else "", validate=False)
    except binascii.Error:
        return b""


def _known(data: bytes, strongest: int) -> ImageMark:
    return ImageMark(digest=hashlib.sha256(data).hexdigest(), data=data, strongest=strongest)
