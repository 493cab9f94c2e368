"""Bytes become a picture, behind the limits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO

from pi_heif import register_heif_opener
from PIL import Image, UnidentifiedImageError

from .animation import Animation
from .avif import is_deep_avif
from .claims import Claims, read_claims
from .claims.jpeg import check_scans
from .deep import Frame
from .errors import DamagedImage, EmptyFile, ImageError, NotAnImage, TruncatedImage, UnsupportedFormat
from .formats import FORMATS, sniff
from .limits import Deadline, Limits, check_bytes, check_claims, check_pixels
from .memory import memory_to_open
from .metadata import Blocks, Exif, profile_of, read_blocks
from .metadata.png import pixels_of
from .moving import frames_of, plays_of, read_animation
from .notes import DEPTH_REDUCED, GAIN_MAP_DROPPED, PROFILE_DROPPED, VALUES_STRETCHED
from .planes import are_separate, merged
from .quiet import hush
from .samples import is_deep, read_deep
from .tiff import Style, style_of
from .transparent import tell_transparent
from .turned import UPRIGHT
from .unread import kind_unread

# The engine checks the pixels itself, before anything is decoded, and says so in words of its own.
Image.MAX_IMAGE_PIXELS = None

register_heif_opener(thumbnails=False)
hush()

_PILLOW = {name: (name.upper(),) for name in FORMATS} | {"JPEG": ("JPEG", "MPO"), "HEIC": ("HEIF",)}
_KNOWN_ELSEWHERE = (
    (b"%PDF", "PDF"),
    (b"8BPS", "PSD"),
    (b"<svg", "SVG"),
    (b"<?xml", "SVG"),
    (b"\0\0\1\0", "ICO"),
    (b"MM\0+", "Big-endian BigTIFF"),
)
_MODES = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
_EDITED = {"L", "LA", "RGB", "RGBA", "CMYK"}


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
    deep: bool  # 16 bits for each colour
    style: Style  # in which a TIFF file is written
    notes: list[str] = field(default_factory=list)  # codes of notes.py; decoding adds to them


def open_image(source: bytes, limits: Limits, admit: Callable[[int], None] | None = None) -> Opened:
    """Read the header of `source`; raise an `ImageError` for what is not allowed or not understood.

    `admit` is asked first where that takes much memory.
    """
    if not source:
        raise EmptyFile
    check_bytes(len(source), limits)
    form = sniff(source[:64])
    if form is None:
        raise _unknown(source[:64])
    try:
        claims = read_claims(source, form)
        check_claims(claims, limits, animated=FORMATS[form].animated)
        if admit is not None and (size := memory_to_open(form, claims.largest)):
            admit(size)
        image = Image.open(BytesIO(pixels_of(source) if form == "PNG" else source), formats=_PILLOW[form])
        check_pixels(*image.size, 1, limits)
        tell_transparent(image)
        animation = read_animation(image, source, form)
        for frame in animation.frames if animation else ():
            check_pixels(*frame.size, 1, limits)
        frames = len(animation.frames) if animation else _count(image, form)
        check_pixels(*image.size, frames, limits)
        if image.info.get("progressive"):
            check_scans(source, claims.largest)
        blocks = read_blocks(source, form, image)
        profile = profile_of(blocks)
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
            profile=profile,
            deep=is_deep(image),
            notes=_notes(blocks, image, source, profile, animated=animation is not None),
            style=style_of(image, source) if form == "TIFF" else Style(),
        )
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        unread = kind_unread(source, form, opened=False)
        raise (
            UnsupportedFormat(unread)
            if unread
            else DamagedImage(f"The file begins like a {form} image, but its header is damaged.")
        ) from None
    except Exception as error:  # readers raise anything
        raise _damage(error, source, form) from error


def _notes(blocks: Blocks, image: Image.Image, source: bytes, profile: bytes | None, *, animated: bool) -> list[str]:
    """Return what is known already of any result."""
    found = [GAIN_MAP_DROPPED] if blocks.gain_map else []
    found += [PROFILE_DROPPED] if blocks.profile and profile is None else []
    if image.format == "AVIF":
        reduced = is_deep_avif(source)
    else:  # in HEIC files the reader tells the bits
        reduced = image.info.get("bit_depth", 8) > 8 or (animated and is_deep(image))
    return found + ([DEPTH_REDUCED] if reduced else [])


def _count(image: Image.Image, form: str) -> int:
    """Return how many frames Pillow reads; those of GIF and PNG files are an animation, or one still picture."""
    return getattr(image, "n_frames", 1) if FORMATS[form].animated and form not in {"GIF", "PNG"} else 1


def shrink_on_load(opened: Opened, longest: int) -> None:
    """Have a large picture decoded smaller where its codec can, never below `longest` pixels on its longer side."""
    scale = longest / max(opened.image.size)
    if scale < 1:
        opened.image.draft(None, (round(opened.image.width * scale), round(opened.image.height * scale)))


def read_frames(opened: Opened, deadline: Deadline) -> Iterator[Frame]:
    """Decode frame after frame, upright and in one of the modes that tasks know."""
    # Pillow turns TIFF upright by itself, and HEIC comes so. TIFF's writer takes tags from an image that its
    # reader made, so that one is not handed on.
    orientation = 1 if opened.format in {"TIFF", "HEIC"} else opened.exif.orientation
    try:
        if opened.format == "JPEG" and not opened.image.info.get("progressive"):  # whose scans have been counted
            check_scans(opened.source, opened.claims.largest)
        for frame in opened.animation.read() if opened.animation else frames_of(opened.image, opened.frames):
            deadline.check()
            separate = opened.format == "TIFF" and are_separate(frame)
            deep = None if opened.animation else read_deep(frame, orientation)
            if deep is not None:
                picture, stretched = deep
                opened.notes.extend([VALUES_STRETCHED] if stretched else [])
                yield picture
                continue
            whole = merged(frame) if separate else frame
            whole.load()
            yield _editable(whole, orientation, opened)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # readers raise anything
        raise _damage(error, opened.source, opened.format) from error


def _editable(frame: Image.Image, orientation: int, opened: Opened) -> Image.Image:
    info = dict(frame.info)
    if orientation in UPRIGHT:
        frame = frame.transpose(UPRIGHT[orientation])
    if frame.mode == "P" or "transparency" in info:
        frame = frame.convert("RGBA" if "transparency" in info or frame.has_transparency_data else "RGB")
    elif frame.mode not in _EDITED:
        frame = frame.convert(_MODES.get(frame.mode, "RGB"))
    elif opened.frames > 1 or opened.format in {"TIFF", "HEIC"}:
        frame = frame.copy()  # one of several HEIC images is decoded again whenever somebody looks, over its mark
    frame.info = info
    return frame


def _unknown(head: bytes) -> ImageError:
    known = ", ".join(FORMATS)
    for magic, name in _KNOWN_ELSEWHERE:
        if head.lstrip().startswith(magic):
            return UnsupportedFormat(f"{name} files cannot be marked; these can: {known}.")
    return NotAnImage(f"The file is not an image of a known format ({known}).")


def _damage(error: Exception, source: bytes, form: str) -> ImageError:
    text = str(error).lower()
    if "truncated" in text or "unexpected end" in text or isinstance(error, EOFError):
        return TruncatedImage()
    if form == "JPEG" and "cannot load this image" in text:  # it ends before its first scan
        return TruncatedImage()
    unread = kind_unread(source, form, opened=True)
    return UnsupportedFormat(unread) if unread else DamagedImage(f"The {form} image is damaged and cannot be read.")
