"""What a person should know of a result stands in its notes, and a gain map is never left behind unmarked."""

import struct
from io import BytesIO
from itertools import product

import numpy as np
import pillow_heif
import pytest
import pyvips
from countermark import engine
from PIL import Image

from tests.engine.carriers import chunk, chunks, heif, segment
from tests.engine.test_deep import png, samples
from tests.engine.tiffs import CMYK, RGB, by_vips, tiff

MARK = engine.parse_options({"position": "center", "size": "0.5"})
XMP = b"http://ns.adobe.com/xap/1.0/\0"
HDRGM = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
    b'hdrgm:GainMapMax="2.1"/></rdf:RDF></x:xmpmeta>'
)
ISO = b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)
APPLE = HDRGM.replace(b"http://ns.adobe.com/hdr-gain-map/1.0/", b"urn:com:apple:photo:2020:aux:hdrgainmap")


def ultra_hdr(base: bytes, gain_map: bytes, told: bytes, in_map: bytes) -> bytes:
    """A photograph with a gain map behind it, as phones write them; `told` and `in_map` say so in both."""
    second = gain_map[:2] + in_map + gain_map[2:]
    first = len(base) + len(told) + 4 + 86
    entries = struct.pack(">IIIHH", 0x030000, first, 0, 0, 0) + struct.pack(">IIIHH", 0, len(second), first - 8, 0, 0)
    directory = struct.pack(">H", 3) + struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    directory += struct.pack(">HHII", 0xB001, 4, 1, 2) + struct.pack(">HHII", 0xB002, 7, 32, 50) + bytes(4)
    pictures = b"MPF\0MM\0*\0\0\0\x08" + directory + entries
    return base[:2] + told + segment(0xE2, pictures) + base[2:] + second


@pytest.fixture
def photograph_with_map(make):
    """Return a maker of the kinds there are."""
    kinds = {
        "Google": (segment(0xE1, XMP + HDRGM), segment(0xE1, XMP + HDRGM)),
        "ISO": (segment(0xE2, ISO), segment(0xE2, ISO)),
        "both": (segment(0xE1, XMP + HDRGM) + segment(0xE2, ISO), b""),
        "Apple": (b"", segment(0xE1, XMP + APPLE)),
    }
    return lambda kind: ultra_hdr(make("JPEG"), make("JPEG", "L", (60, 40)), *kinds[kind])


@pytest.mark.parametrize("kind", ["Google", "ISO", "both", "Apple"])
@pytest.mark.parametrize("options", [{}, {"quality": "85"}, {"format": "webp"}, {"metadata": "keep"}])
def test_a_gain_map_is_left_out_and_said_so(photograph_with_map, kind, options):
    source = photograph_with_map(kind)
    edited = engine.process(source, engine.parse_options(options))
    assert edited.notes == ("gain_map_dropped",)
    for trace in (b"hdr-gain-map", b"hdrgainmap", b"21496", b"MPF\0", b"hdrgm"):
        assert trace not in edited.data
    assert edited.data.count(b"\xff\xd8\xff") == (0 if options.get("format") else 1)


def test_a_gain_map_in_heic_is_told():
    source = heif()
    assert engine.process(source, MARK).notes == ()
    told = source.replace(b"mif1", b"tmap", 1)
    assert engine.process(told, MARK).notes == ("gain_map_dropped",)


def test_an_ordinary_photograph_has_no_notes(make):
    for form in ("JPEG", "PNG", "WebP", "AVIF", "TIFF", "GIF", "BMP", "HEIF"):
        assert engine.process(make(form), MARK).notes == ()


class Inverted(engine.ImageTask):
    """A task of somebody's own, which knows 8 bits."""

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:  # noqa: ARG002
        """Return the picture inverted."""
        assert image.mode == "RGB"
        return image.point(lambda value: 255 - value)


def test_a_task_of_ones_own_takes_bits_away_and_it_is_said():
    options = engine.load_options({"tasks": [{"task": "watermark"}]})
    object.__setattr__(options, "tasks", [*options.tasks, Inverted(task="inverted")])
    edited = engine.process(png(samples(3)), options)
    assert edited.notes == ("depth_reduced",)
    assert Image.open(BytesIO(edited.data)).mode == "RGB"


def deep_apng() -> bytes:
    still = png(samples(3))
    begin, end = still.index(b"IDAT") - 4, still.rindex(b"IEND") - 4
    pixels = b"".join(content for kind, content in chunks(still) if kind == b"IDAT")
    controls = [struct.pack(">IIIIIHHBB", number, 150, 110, 0, 0, 1, 10, 0, 0) for number in (0, 1)]
    moving = chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", controls[0]) + chunk(b"IDAT", pixels)
    moving += chunk(b"fcTL", controls[1]) + chunk(b"fdAT", struct.pack(">I", 2) + pixels)
    return still[:begin] + moving + still[end:]


def deep_heic() -> bytes:
    buffer = BytesIO()
    pillow_heif.from_bytes(mode="RGB;16", size=(150, 110), data=samples(3).tobytes()).save(buffer, quality=80)
    return buffer.getvalue()


def deep_avif() -> bytes:
    picture = pyvips.Image.new_from_array(samples(3)).copy(interpretation="rgb16")
    return picture.heifsave_buffer(compression="av1", bitdepth=10, effort=0)


SOURCES = {
    "PNG": lambda: png(samples(3)),
    "TIFF": lambda: tiff(samples(3), RGB),
    "CMYK": lambda: tiff(samples(4), CMYK),
    "APNG": deep_apng,
    "HEIC": deep_heic,
    "AVIF": deep_avif,
}


#: PNG has no CMYK.
KEPT = {*product(["PNG", "TIFF"], ["keep", "png", "tiff"]), ("CMYK", "keep"), ("CMYK", "tiff")}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("form", ["keep", "jpeg", "png", "webp", "tiff", "gif", "bmp"])
def test_whatever_has_fewer_bits_than_its_source_says_so(kind, form):
    edited = engine.process(
        SOURCES[kind](), engine.parse_options({"format": form, "position": "center", "size": "0.5"})
    )
    kept = (kind, form) in KEPT
    assert edited.notes == (() if kept else ("depth_reduced",))
    if form != "bmp":  # which libvips does not read
        assert (by_vips(edited.data).dtype == np.uint16) == kept


def test_a_preview_is_no_copy_and_says_nothing_of_bits():
    assert engine.preview(png(samples(4)), MARK).notes == ()


def test_every_note_has_a_sentence():
    assert all(code.islower() and text.endswith(".") for code, text in engine.NOTES.items())
