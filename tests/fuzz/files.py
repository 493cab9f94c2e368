"""Small files of every format and kind, from which mutations set out."""

from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageCms, PngImagePlugin

from tests.engine import heic  # noqa: F401 - Pillow then writes it
from tests.engine.animations import apng, gif, parts, webp

SIZES = ((48, 32), (7, 5), (97, 64))
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6"><dc:creator><rdf:Seq><rdf:li>A. Photographer</rdf:li></rdf:Seq></dc:creator>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


@cache
def files() -> dict[str, list[bytes]]:
    """Return the files by the name of their format."""
    found: dict[str, list[bytes]] = {"JPEG": _jpegs(), "PNG": _pngs(), "TIFF": _tiffs(), "WebP": _webps()}
    found["GIF"] = [_saved("GIF", mode) for mode in ("L", "P", "RGBA")] + [gif(parts(each), each) for each in range(4)]
    found["BMP"] = [_saved("BMP", mode, size) for mode in ("1", "L", "P", "RGB", "RGBA") for size in SIZES[:2]]
    moving = _moving()
    found["AVIF"] = [_saved("AVIF", "RGB", exif=_exif(), xmp=XMP), _saved("AVIF", "RGBA"), _saved("AVIF", "L")]
    found["AVIF"] += [_saved("AVIF", "RGB", save_all=True, append_images=moving, duration=40)]
    found["HEIC"] = [_saved("HEIF", "RGB", exif=_exif()), _saved("HEIF", "RGBA", (97, 64))]
    return found


def _jpegs() -> list[bytes]:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = [_saved("JPEG", mode, size) for mode in ("L", "RGB", "CMYK") for size in SIZES]
    found += [
        _saved("JPEG", "RGB", subsampling=sampling, progressive=True, exif=_exif(), icc_profile=profile)
        for sampling in (0, 1, 2)
    ]
    found.append(_saved("JPEG", "RGB", restart_marker_blocks=2, xmp=XMP, comment="a comment", exif=_exif()))
    samples = Path(__file__).parent.parent / "engine" / "samples"
    return found + [each.read_bytes() for each in sorted(samples.glob("*.jpg"))]


def _pngs() -> list[bytes]:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "a comment")
    texts.add_text("Author", "A. Photographer", zip=True)
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    found = [_saved("PNG", mode, size) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") for size in SIZES[:2]]
    found.append(_saved("PNG", "RGB", pnginfo=texts, exif=_exif(), dpi=(300, 300)))
    found += [_saved("PNG", "P", transparency=3), _saved("PNG", "L", transparency=9)]
    found += [apng(parts(each), each, mode=mode) for each, mode in enumerate(("RGBA", "RGB", "L"))]
    return [*found, apng(parts(5), 0, default=Image.new("RGBA", (48, 32), "red"))]


def _tiffs() -> list[bytes]:
    found = [_saved("TIFF", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB")]
    found += [
        _saved("TIFF", "RGB", compression=compression, description="a scan", software="a scanner")
        for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    ]
    found.append(_saved("TIFF", "1", compression="group4"))
    found.append(_saved("TIFF", "RGB", save_all=True, append_images=_moving(), exif=_exif()))
    found.append(_saved("TIFF", "RGB", save_all=True, append_images=[Image.new("L", (9, 60)), Image.new("1", (5, 5))]))
    return found


def _webps() -> list[bytes]:
    found = [_saved("WebP", mode, lossless=lossless) for mode in ("RGB", "RGBA") for lossless in (False, True)]
    found.append(_saved("WebP", "RGB", exif=_exif(), xmp=XMP))
    return found + [webp(parts(each), each) for each in range(3)]


def _moving() -> list[Image.Image]:
    return [Image.new("RGB", SIZES[0], (40 * each, 90, 30)) for each in range(3)]


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F], exif[0x0110], exif[0x0132] = "Maker", "Model", "2026:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return exif


def _saved(form: str, mode: str, size: tuple[int, int] = SIZES[0], **settings: object) -> bytes:
    photograph = Image.open(Path(__file__).parent.parent / "photographs" / "brushes.jpg").resize(size)
    if "A" in mode and mode != "LAB":
        photograph.putalpha(Image.linear_gradient("L").resize(size))
    if mode == "LAB":
        image = ImageCms.profileToProfile(
            photograph, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    elif mode == "I;16":
        image = photograph.convert("L").convert("I;16").point(lambda value: value * 257)
    else:
        image = photograph.convert("L").convert(mode) if mode in {"I", "F"} else photograph.convert(mode)
    buffer = BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()
