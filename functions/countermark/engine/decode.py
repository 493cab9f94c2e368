"""Bytes become a picture, behind the limits."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from pi_heif import register_heif_opener
from PIL import Image, ImageSequence, UnidentifiedImageError

from .deep import Deep, Frame, read_deep
from .errors import DamagedImage, EmptyFile, ImageError, NotAnImage, TruncatedImage, UnsupportedFormat
from .formats import FORMATS, sniff
from .limits import Deadline, Limits, check_bytes, check_pixels
from .metadata import Blocks, Exif, profile_of, read_blocks
from .metadata.png import pixels_of
from .notes import DEPTH_REDUCED, GAIN_MAP_DROPPED, VALUES_STRETCHED
from .tiff import Style, style_of
from .turned import UPRIGHT
from .unread import kind_unread

# The engine checks the pixels itself, before anything is decoded, and says so in words of its own.
Image.MAX_IMAGE_PIXELS = None

register_heif_opener(thumbnails=False)

_PILLOW = {name: (name.upper(),) for name in FORMATS} | {"JPEG": ("JPEG", "MPO"), "HEIC": ("HEIF",)}
_KNOWN_ELSEWHERE = (
    (b"%PDF", "PDF"),
    (b"8BPS", "PSD"),
    (b"<svg", "SVG"),
    (b"<?xml", "SVG"),
    (b"\0\0\1\0", "ICO"),
    (b"MM\0+", "Big-endian BigTIFF"),
)
#: What Pillow raises for damaged files.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    struct.error,
    OverflowError,
    RuntimeError,
)
_SCAN = b"\xff\xda"
#: A progressive JPEG with more scans is an attack: each of them goes over the whole picture.
MAX_SCANS = 200
_MODES = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
_EDITED = {"L", "LA", "RGB", "RGBA", "CMYK"}


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A file whose header has been read and found allowed; nothing is decoded yet."""

    source: bytes
    image: Image.Image
    format: str
    frames: int
    exif: Exif
    blocks: Blocks  # all metadata as it stands in the file
    profile: bytes | None  # ICC
    style: Style  # in which a TIFF file is written
    notes: list[str] = field(default_factory=list)  # codes of notes.py; decoding adds to them


def open_image(source: bytes, limits: Limits) -> Opened:
    """Read the header of `source`; raise an `ImageError` for what is not allowed or not understood."""
    if not source:
        raise EmptyFile
    check_bytes(len(source), limits)
    form = sniff(source[:64])
    if form is None:
        raise _unknown(source[:64])
    try:
        image = Image.open(BytesIO(pixels_of(source) if form == "PNG" else source), formats=_PILLOW[form])
        check_pixels(*image.size, 1, limits)
        frames = getattr(image, "n_frames", 1) if FORMATS[form].animated else 1
        check_pixels(*image.size, frames, limits)
        if image.info.get("progressive") and source.count(_SCAN) > MAX_SCANS:
            raise DamagedImage(f"The JPEG image has more than {MAX_SCANS} scans.")
        blocks = read_blocks(source, form, image)
        return Opened(
            source=source,
            image=image,
            format=form,
            frames=frames,
            exif=Exif(blocks.exif),
            blocks=blocks,
            profile=profile_of(blocks),
            notes=[GAIN_MAP_DROPPED] if blocks.gain_map else [],
            style=style_of(image, source) if form == "TIFF" else Style(),
        )
    except ImageError:
        raise
    except UnidentifiedImageError:
        unread = kind_unread(source, form, opened=False)
        raise (
            UnsupportedFormat(unread)
            if unread
            else DamagedImage(f"The file begins like a {form} image, but its header is damaged.")
        ) from None
    except _DAMAGE as error:
        raise _damage(error, source, form) from error


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
        for frame in ImageSequence.Iterator(opened.image) if opened.frames > 1 else [opened.image]:
            deadline.check()
            if opened.frames == 1 or opened.format == "TIFF":
                deep = read_deep(frame, orientation)
                if deep is not None:
                    opened.notes.extend([VALUES_STRETCHED] if deep[1] else [])
                    yield deep[0]
                    continue
            frame.load()
            yield _editable(frame, orientation, opened)
    except ImageError:
        raise
    except MemoryError:
        raise DamagedImage("The image needs more memory than there is.") from None
    except _DAMAGE as error:
        raise _damage(error, opened.source, opened.format) from error


def _editable(frame: Image.Image, orientation: int, opened: Opened) -> Image.Image:
    info = dict(frame.info)
    if orientation in UPRIGHT:
        frame = frame.transpose(UPRIGHT[orientation])
    if frame.mode.startswith("I;16"):  # of an animation
        frame = Deep(np.asarray(frame).astype(np.uint16)[..., None], "L").shallow()
        opened.notes.append(DEPTH_REDUCED)
    elif frame.mode == "P" or "transparency" in info:
        frame = frame.convert("RGBA" if "transparency" in info or frame.has_transparency_data else "RGB")
    elif frame.mode not in _EDITED:
        frame = frame.convert(_MODES.get(frame.mode, "RGB"))
    elif opened.frames > 1 or opened.format == "TIFF":
        frame = frame.copy()
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
