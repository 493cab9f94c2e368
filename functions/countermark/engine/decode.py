"""Bytes become a picture, behind the limits."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener

from .animation import Animation
from .claims import Claims, read_claims
from .claims.jpeg import check_scans
from .errors import DamagedImage, EmptyFile, ImageError, NotAnImage, TruncatedImage, UnsupportedFormat
from .formats import FORMATS, sniff
from .limits import Deadline, Limits, check_bytes, check_claims, check_pixels
from .metadata import Blocks, Exif, profile_of, read_blocks
from .moving import frames_of, plays_of, read_animation
from .quiet import hush
from .turned import UPRIGHT

# The engine checks the pixels itself, before anything is decoded, and says so in words of its own.
Image.MAX_IMAGE_PIXELS = None

register_heif_opener(thumbnails=False)
hush()

_PILLOW = {name: (name.upper(),) for name in FORMATS} | {"JPEG": ("JPEG", "MPO"), "HEIC": ("HEIF",)}
_KNOWN_ELSEWHERE = ((b"%PDF", "PDF"), (b"8BPS", "PSD"), (b"<svg", "SVG"), (b"<?xml", "SVG"), (b"\0\0\1\0", "ICO"))
_DEEP = {"I", "I;16B", "I;16L", "I;16N"}
_MODES = {"1": "L", "F": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
_EDITED = {"L", "LA", "RGB", "RGBA", "CMYK", "I;16"}


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A file whose header has been read and found allowed; nothing is decoded yet."""

    source: bytes
    image: Image.Image
    size: tuple[int, int]  # of the image as it is stored
    format: str
    frames: int
    claims: Claims
    plays: int  # how often an animation is played; 0 is for ever
    animation: Animation | None  # of a GIF or PNG file
    exif: Exif
    blocks: Blocks  # all metadata as it stands in the file
    profile: bytes | None  # ICC


def open_image(source: bytes, limits: Limits) -> Opened:
    """Read the header of `source`; raise an `ImageError` for what is not allowed or not understood."""
    if not source:
        raise EmptyFile
    check_bytes(len(source), limits)
    form = sniff(source[:64])
    if form is None:
        raise _unknown(source[:64])
    try:
        claims = read_claims(source, form)
        check_claims(claims, limits, animated=FORMATS[form].animated)
        image = Image.open(BytesIO(source), formats=_PILLOW[form])
        check_pixels(*image.size, 1, limits)
        animation = read_animation(image, source, form)
        for frame in animation.frames if animation else ():
            check_pixels(*frame.size, 1, limits)
        frames = len(animation.frames) if animation else _count(image, form)
        check_pixels(*image.size, frames, limits)
        if image.info.get("progressive"):
            check_scans(source, claims.largest)
        blocks = read_blocks(source, form, image)
        return Opened(
            source=source,
            image=image,
            size=image.size,
            format=form,
            frames=frames,
            claims=claims,
            plays=animation.plays if animation else plays_of(image, source, form),
            animation=animation,
            exif=Exif(blocks.exif),
            blocks=blocks,
            profile=profile_of(image),
        )
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise _unreadable(source, form) from None
    except Exception as error:  # readers raise anything
        raise _damage(error, form) from error


def _count(image: Image.Image, form: str) -> int:
    """Return how many frames Pillow reads; those of GIF and PNG files are an animation, or one still picture."""
    return getattr(image, "n_frames", 1) if FORMATS[form].animated and form not in {"GIF", "PNG"} else 1


def shrink_on_load(opened: Opened, longest: int) -> None:
    """Have a large picture decoded smaller where its codec can, never below `longest` pixels on its longer side."""
    scale = longest / max(opened.image.size)
    if scale < 1:
        opened.image.draft(None, (round(opened.image.width * scale), round(opened.image.height * scale)))


def read_frames(opened: Opened, deadline: Deadline) -> Iterator[Image.Image]:
    """Decode frame after frame, upright and in one of the modes that tasks know."""
    try:
        if opened.format == "JPEG":
            check_scans(opened.source, opened.claims.largest)
        for frame in opened.animation.read() if opened.animation else frames_of(opened.image, opened.frames):
            deadline.check()
            # Pillow turns TIFF upright by itself, and HEIC comes so. TIFF's writer takes tags from an image that its
            # reader made, so that one is not handed on.
            orientation = 1 if opened.format in {"TIFF", "HEIC"} else opened.exif.orientation
            yield _editable(frame, orientation, copied=opened.frames > 1 or opened.format == "TIFF")
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # readers raise anything
        raise _damage(error, opened.format) from error


def _editable(frame: Image.Image, orientation: int, *, copied: bool) -> Image.Image:
    info = dict(frame.info)
    if orientation in UPRIGHT:
        frame = frame.transpose(UPRIGHT[orientation])
    if frame.mode == "P" or "transparency" in info:
        frame = frame.convert("RGBA" if "transparency" in info or frame.has_transparency_data else "RGB")
    elif frame.mode in _DEEP:
        frame = frame.convert("I;16")
    elif frame.mode not in _EDITED:
        frame = frame.convert(_MODES.get(frame.mode, "RGB"))
    elif copied:
        frame = frame.copy()
    frame.info = info
    return frame


def _unknown(head: bytes) -> ImageError:
    known = ", ".join(FORMATS)
    for magic, name in _KNOWN_ELSEWHERE:
        if head.lstrip().startswith(magic):
            return UnsupportedFormat(f"{name} files cannot be marked; these can: {known}.")
    return NotAnImage(f"The file is not an image of a known format ({known}).")


def _unreadable(source: bytes, form: str) -> ImageError:
    """Return why a file is not even opened."""
    if form == "HEIC" and b"moov" in source and b"pitm" not in source:  # a film, and no item that is the picture
        return UnsupportedFormat("HEIC files that hold only a sequence of images, and no picture, cannot be marked.")
    return DamagedImage(f"The file begins like a {form} image, but its header is damaged.")


def _damage(error: Exception, form: str) -> ImageError:
    text = str(error).lower()
    if "truncated" in text or "unexpected end" in text or isinstance(error, EOFError):
        return TruncatedImage()
    return DamagedImage(f"The {form} image is damaged and cannot be read.")
