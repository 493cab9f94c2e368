"""A picture becomes bytes, in the source's format and quality unless told otherwise."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import chain
from typing import Any

from PIL import Image, JpegImagePlugin, PngImagePlugin

from .color import is_rgb, to_srgb
from .decode import Opened
from .deep import Deep, Frame, shallow
from .errors import CannotEncode, ImageError
from .formats import FORMATS, Format
from .metadata import Metadata
from .moving import alike, write_moving
from .notes import DEPTH_REDUCED
from .palette import with_palette
from .png import write_png
from .task import Output
from .tiff import Style, write_tiff

#: Quality where there is none to keep.
USUAL_QUALITY = {"JPEG": 90, "WebP": 85, "AVIF": 70}
LOSSY = {"JPEG", "WebP", "AVIF", "GIF"}  # GIF loses colours
USUALLY_LOST = 32  # levels of a pixel that a good quality may take away
LOW_QUALITY, COARSE = 50, 40  # below this quality, and where JPEG's lowest frequencies are divided by more, it is all
# How hard the encoders try, chosen on photographs of 1 and 2 megapixels, by bytes and time of the next choices:
WEBP_METHOD = 2  # 4, the usual one, saves 1 to 4 % in twice the time; 0 takes 0.7 of the time and 10 to 15 % more
WEBP_LOSSLESS_METHOD = 0  # 1 saves 8 to 15 % in 4 to 5 times the time
AVIF_THREADS = 2  # or it were one for each processor of the machine, and each takes memory
AVIF_SPEED = 9  # 8 takes 3 times the time for the same bytes, 6 takes 7 times for 10 % fewer at most
_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def encode(frames: Iterator[Frame], count: int, opened: Opened, output: Output, metadata: Metadata) -> bytes:
    """Return `count` frames as a file of the format that `output` names; of several each is made when it is written."""
    form = FORMATS[output.format]
    pages = form.name == "TIFF"
    moving = count > 1 and form.animated and not pages
    fitting: Iterator[Frame] = (_fitted(frame, form, opened, metadata.profile, moving=moving) for frame in frames)
    if moving and opened.format == "TIFF":  # whose pages may be of different kinds
        fitting = iter(alike([shallow(frame) for frame in fitting]))
    first = next(fitting)
    settings = _settings(first.mode, opened, output) | _carried(first.mode, form, metadata)
    with _writing(form):
        if moving:
            data = _moving(map(shallow, chain([first], fitting)), count, form, opened, settings)
        elif pages and count > 1:
            data = _still([first, *fitting], form, opened, output, settings)
        else:
            data = _still([_small(first, form, opened, output)], form, opened, output, settings)
    if form.name == "JPEG":
        return metadata.put_into_jpeg(data, first.mode)
    if form.name == "PNG":
        return metadata.put_into_png(data)
    return metadata.put_into_tiff(data) if pages else data


def _small(frame: Frame, form: Format, opened: Opened, output: Output) -> Frame:
    """Return a frame with a palette again, if it came with one and can have it."""
    if isinstance(frame, Deep) or not form.palettes or opened.image.mode != "P":
        return frame
    if form.name == "TIFF" and frame.mode == "RGBA":  # whose palettes have no alpha
        return frame
    return with_palette(frame, opened.image, exact=output.exact) or frame


def _fitted(frame: Frame, form: Format, opened: Opened, profile: bytes | None, *, moving: bool) -> Frame:
    """Return a frame as the format holds it, with what was said of it; raise `CannotEncode` when it is too large."""
    longest, info = max(frame.size), frame.info
    if form.longest and longest > form.longest:
        raise CannotEncode(
            f"{form.name} images have at most {form.longest:,} pixels on a side; this one has {longest:,}."
        )
    if isinstance(frame, Deep) and (moving or not form.deep or frame.mode not in form.modes):
        frame = shallow(frame)
        opened.notes.append(DEPTH_REDUCED)
    if not isinstance(frame, Deep):
        frame = in_mode(frame, form, profile)
    frame.info = info
    return frame


def _moving(frames: Iterator[Image.Image], count: int, form: Format, opened: Opened, settings: dict[str, Any]) -> bytes:
    if form.name == opened.format == "WebP":
        settings["background"] = opened.image.info["background"]
    return write_moving(frames, count, form.name, opened.plays, settings)


def _still(pages: Sequence[Frame], form: Format, opened: Opened, output: Output, settings: dict[str, Any]) -> bytes:
    """Return a picture, or the pages of a TIFF file."""
    for page in pages:  # else Pillow writes what we mean to drop; a palette's transparency is part of the picture
        clear = page.info.get("transparency") if page.mode == "P" else None
        page.info = {} if clear is None else {"transparency": clear}
    if form.name == "TIFF":
        return write_tiff(pages, _style(opened, output), settings)
    if form.name == "PNG":
        return write_png(pages[0], settings)
    buffer = BytesIO()
    shallow(pages[0]).save(buffer, form.name.upper(), **settings)
    return buffer.getvalue()


def _style(opened: Opened, output: Output) -> Style:
    """Return how a TIFF file is written."""
    return replace(opened.style, quality=output.quality) if isinstance(output.quality, int) else opened.style


@contextlib.contextmanager
def _writing(form: Format) -> Iterator[None]:
    """Turn whatever a writer raises into `CannotEncode`."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise CannotEncode(f"The image cannot be written as {form.name}: {error or type(error).__name__}.") from error


def rewritten(image: Image.Image, opened: Opened, output: Output) -> Image.Image:
    """Return an image, in a mode of the format, as a file of the output's format and quality shows it."""
    form = FORMATS[output.format]
    with _writing(form):
        data = _still([image], form, opened, output, _settings(image.mode, opened, output))
        again = Image.open(BytesIO(data))
        again.load()
    return again


def loses(opened: Opened, output: Output) -> int:
    """Return how many levels of a pixel may be lost when the result is written: at a low quality any."""
    quality, source = output.quality, opened.image
    if output.format == "TIFF" and opened.style.loses:
        return USUALLY_LOST if _style(opened, output).quality >= LOW_QUALITY else 255
    if output.format not in LOSSY or (output.format == "WebP" and writes_lossless_webp(opened, output)):
        return 0
    if isinstance(quality, int):
        return USUALLY_LOST if quality >= LOW_QUALITY else 255
    coarse = isinstance(source, JpegImagePlugin.JpegImageFile) and any(
        max(table[:10]) > COARSE for table in _divisors(source)[:1]
    )
    return 255 if coarse and output.format == "JPEG" else USUALLY_LOST


def in_mode(frame: Image.Image, form: Format, profile: bytes | None) -> Image.Image:
    """Return a frame in a mode that the format holds."""
    if frame.mode in form.modes:
        return frame
    if frame.mode in {"LA", "RGBA"} and "RGBA" not in form.modes:
        solid = Image.new("RGBA", frame.size, "white")
        solid.alpha_composite(frame.convert("RGBA"))
        frame = solid.convert("L" if frame.mode == "LA" else "RGB")
    elif frame.mode == "LA":
        frame = frame.convert("RGBA")
    elif frame.mode == "CMYK":
        frame = to_srgb(frame, profile)
    if frame.mode in form.modes:
        return frame
    return frame.convert("RGB")


def _settings(mode: str, opened: Opened, output: Output) -> dict[str, Any]:
    """Return what Pillow's writer of this format is told."""
    quality = output.quality
    if output.format == "JPEG":
        return _jpeg_settings(mode, opened, quality)
    if output.format == "WebP":
        if writes_lossless_webp(opened, output):
            return {"lossless": True, "quality": 40, "method": WEBP_LOSSLESS_METHOD}
        return {"quality": USUAL_QUALITY["WebP"] if quality == "keep" else quality, "method": WEBP_METHOD}
    if output.format == "AVIF":
        number = USUAL_QUALITY["AVIF"] if quality == "keep" else quality
        return {"quality": number, "speed": AVIF_SPEED, "max_threads": AVIF_THREADS}
    return {}


def _jpeg_settings(mode: str, opened: Opened, quality: str | int) -> dict[str, Any]:
    if quality != "keep":
        return {"quality": quality}
    source = opened.image
    if not isinstance(source, JpegImagePlugin.JpegImageFile):
        return {"quality": USUAL_QUALITY["JPEG"]}
    tables = _divisors(source)[: 1 if mode == "L" else None]
    if mode == "RGB" and len(source.layer) == 3 and is_rgb(source):
        return {"qtables": tables, "keep_rgb": True, "progressive": bool(source.info.get("progressive"))}
    sampling = _SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(source), "4:4:4")
    return {"qtables": tables, "subsampling": sampling, "progressive": bool(source.info.get("progressive"))}


def _divisors(source: JpegImagePlugin.JpegImageFile) -> list[list[int]]:
    """Return the table of each component; those behind the last one have the same. One may come behind a scan."""
    tables = [source.quantization[layer[3]] for layer in source.layer if layer[3] in source.quantization]
    while tables[1:] and tables[-1] == tables[-2]:
        tables.pop()
    return tables


def writes_lossless_webp(opened: Opened, output: Output) -> bool:
    """Tell whether a WebP result is lossless."""
    return output.quality == "keep" and _is_lossless_webp(opened)


def _is_lossless_webp(opened: Opened) -> bool:
    if opened.format != "WebP":
        return opened.format in {"PNG", "GIF", "BMP", "TIFF"}
    lossless, lossy = (opened.source.find(kind) for kind in (b"VP8L", b"VP8 "))  # the first frame says it for all
    return lossless >= 0 and (lossy < 0 or lossless < lossy)


def _carried(mode: str, form: Format, metadata: Metadata) -> dict[str, Any]:
    """Return the metadata in the way that Pillow's writer of this format takes it; JPEG and TIFF get theirs later."""
    settings: dict[str, Any] = {}
    if metadata.dpi and form.name in {"JPEG", "PNG", "TIFF", "BMP"}:
        settings["dpi"] = metadata.dpi
    if metadata.comment and form.name == "GIF":
        settings["comment"] = metadata.comment.encode()
    if form.name in {"JPEG", "GIF", "BMP"}:
        return settings
    if profile := metadata.profile_of(mode):
        settings["icc_profile"] = profile
    if form.name == "TIFF":
        return settings
    if metadata.exif:
        settings["exif"] = metadata.exif
    if metadata.xmp and form.name in {"WebP", "AVIF"}:
        settings["xmp"] = metadata.xmp
    if form.name == "PNG":
        settings["pnginfo"] = _png_texts(metadata)
    return settings


def _png_texts(metadata: Metadata) -> PngImagePlugin.PngInfo:
    """Return the texts, XMP being one of them."""
    texts = PngImagePlugin.PngInfo()
    for name, text in metadata.texts.items():
        texts.add_itxt(name, text)
    if metadata.xmp:
        texts.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    return texts
