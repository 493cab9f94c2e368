"""EXIF, tag by tag: what is known comes through in either byte order, and what a picture lies like is seen."""

import struct
from io import BytesIO

import pytest
from countermark import engine
from countermark.engine.metadata.exif import Exif
from countermark.engine.metadata.rights import NO_RIGHTS
from PIL import Image, IptcImagePlugin

from tests.engine.carriers import (
    EXIF_HEAD,
    PHOTOSHOP,
    base,
    block,
    chunk,
    data_set,
    directory_notes,
    in_jpeg,
    in_png,
    in_tiff,
    notes,
    resource,
    segment,
)

ORIENTATION = 0x0112


def edited(source: bytes, **fields: str) -> bytes:
    return engine.process(source, engine.parse_options({"metadata": "keep", **fields})).data


def block_in(order: str, tag: int, kind: int, data: bytes, count: int) -> bytes:
    """Return a block of one tag in the first directory."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1)
    return head + struct.pack(order + "HHI4s", tag, kind, count, data) + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "letter"), [(1, "B"), (3, "H"), (4, "I"), (8, "h"), (9, "i")])
def test_an_orientation_of_any_kind_is_followed_and_reset(order, kind, letter):
    data = block_in(order, ORIENTATION, kind, struct.pack(order + letter, 6), 1)
    assert Exif(data).orientation == 6
    source = in_jpeg(segment(0xE1, EXIF_HEAD + data))
    for fields in ({"format": "png"}, {"quality": "90"}, {"format": "tiff"}, {"format": "webp"}):
        image = Image.open(BytesIO(edited(source, **fields)))
        assert (image.size, image.getexif()[ORIENTATION]) == ((80, 120), 1)
    image = Image.open(BytesIO(edited(source)))
    assert (image.size, image.getexif()[ORIENTATION]) == ((120, 80), 6)


def raw_profile(data: bytes) -> bytes:
    digits = data.hex()
    return b"Raw profile type exif\0" + f"\nexif\n{len(data):8}\n{digits[:72]}\n{digits[72:]}\n".encode()


TURNED = block([{ORIENTATION: (3, b"\0\6"), 0x010F: (2, b"Countermaker\0")}])


@pytest.mark.parametrize(
    "source",
    [in_png(chunk(b"eXIf", TURNED), behind=True), in_png(chunk(b"tEXt", raw_profile(EXIF_HEAD + TURNED)))],
    ids=["behind the picture", "raw profile"],
)
def test_exif_of_a_png_is_read_wherever_it_stands(source):
    for fields in ({}, {"format": "jpeg"}):
        image = Image.open(BytesIO(edited(source, **fields)))
        assert (image.size, image.getexif()[0x010F]) == ((80, 120), "Countermaker")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "avif", "tiff"])
def test_known_tags_come_through(order, form):
    exif = Image.Exif()
    exif.endian = order
    first = {0x010F: "Maker", 0x0131: "Software", 0x011A: 72.0, 0x0128: 2, 0x4746: 5}
    exif.update(first)
    nested = {
        0x829A: 0.005, 0x829D: 2.8, 0x8827: 400, 0x9003: "2024:05:17 10:20:30", 0x9000: b"0232", 0x920A: 50.0,
        0xA432: (24.0, 70.0, 2.8, 4.0), 0xA434: "Lens", 0x9204: -0.5, 0x9286: b"ASCII\0\0\0a comment",
    }  # fmt: skip
    exif.get_ifd(0x8769).update(nested)
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 30.0, 11.5), 0x1D: "2024:05:17"})
    data = exif.tobytes()
    result = Image.open(BytesIO(edited(base("JPEG", exif=data), format=form))).getexif()
    assert {tag: result[tag] for tag in first} == first
    assert result.get_ifd(0x8769) == nested
    assert result.get_ifd(0x8825) == {1: "N", 2: (51.0, 30.0, 11.5), 0x1D: "2024:05:17"}


def test_notes_stay_where_they_stood():
    """What is in them counts its offsets from the block."""
    data = directory_notes(b"SONY DSC \0\0\0", 0x0102, bytes(range(200))) + b"II*\0" + bytes(4)
    source = in_jpeg(segment(0xE1, EXIF_HEAD + notes(data, b"SONY")))
    fields = {"creator": "Somebody with a long name " * 4, "copyright": "(c) " * 50}
    for options in ({"metadata": "keep"}, {"metadata": "keep", **fields}, fields):
        result = engine.process(source, engine.parse_options(options)).data
        before, after = (each[each.index(EXIF_HEAD) + 6 :] for each in (source, result))
        assert after.index(data) == before.index(data)


def test_large_values_and_gaps_in_notes_are_blank_and_directories_in_them_are_followed():
    """As Olympus lays notes out: tags point to directories, which no value of the first one holds."""
    small, large, gap = b"lens" * 200, b"\7" * 3073, b"\5" * 3073
    inner = struct.pack("<HHHII", 1, 0x0203, 7, len(small), 12 + 54 + 18)
    outer = b"OLYMPUS\0II\3\0" + struct.pack("<H", 3)
    outer += struct.pack("<HHII", 0x2010, 13, 1, 12 + 54)
    outer += struct.pack("<HHII", 0x2020, 7, len(large), 12 + 54 + 18 + len(small))
    outer += struct.pack("<HHII", 0x2030, 7, 4, 0x01020304) + bytes(4)
    data = outer.ljust(12 + 54, b"\0") + inner.ljust(18, b"\0") + small + large + b"\1" + gap
    source = in_jpeg(segment(0xE1, EXIF_HEAD + notes(data, b"OLYMPUS")))
    result = engine.process(source, engine.parse_options({"metadata": "keep"})).data
    assert small in result
    assert outer in result
    assert b"\7" * 40 not in result
    assert b"\5" * 40 not in result


def test_iptc_over_two_segments_is_read_whole():
    whole = resource(1028, data_set(2, 120, b"A caption. " * 40) + data_set(2, 116, b"(c) Studio"))
    source = in_jpeg(segment(0xED, PHOTOSHOP + whole[:200]), segment(0xED, PHOTOSHOP + whole[200:]))
    for fields in ({}, {"quality": "90"}, {"format": "tiff"}):
        sets = IptcImagePlugin.getiptcinfo(Image.open(BytesIO(edited(source, **fields))))
        assert (sets[2, 120], sets[2, 116]) == (b"A caption. " * 40, b"(c) Studio")


TAGS = {
    "description": {0x010E: (2, b"A scan\0")},
    "make": {0x010F: (2, b"Maker\0")},
    "software and date": {0x0131: (2, b"scanimage\0"), 0x0132: (2, b"2024:05:17 10:20:30\0")},
    "all": {0x010E: (2, b"A scan\0"), 0x013B: (2, b"Me\0"), 0x8298: (2, b"(c)\0"), 0x011D: (2, b"Page\0")},
}


@pytest.mark.parametrize("tags", TAGS.values(), ids=TAGS.keys())
@pytest.mark.parametrize("form", ["tiff", "jpeg", "png", "webp"])
def test_the_tags_of_a_tiff_file_come_through(tags, form):
    result = Image.open(BytesIO(edited(in_tiff(tags), format=form))).getexif()
    assert {tag: result[tag] for tag in tags} == {tag: data[:-1].decode() for tag, (_, data) in tags.items()}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_a_tiff_file_is_compressed_whatever_it_says(form):
    exif = block([{0x010F: (2, b"Maker\0")}, {0x9003: (2, b"2024:05:17 10:20:30\0")}], nested={0x8769: 1})
    settings = {"exif": exif} if form != "TIFF" else {"compression": "tiff_lzw"}
    image = Image.open(BytesIO(edited(base(form, **settings), format="tiff", copyright="(c)")))
    image.load()
    assert (image.info["compression"], image.getexif()[0x8298]) == ("tiff_lzw", "(c)")


def test_all_pages_of_a_tiff_file_are_there():
    pages = [Image.new("RGB", (60, 40), color) for color in ("red", "green", "blue")]
    buffer = BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    image = Image.open(BytesIO(edited(buffer.getvalue(), copyright="(c)", position="center", size="0.2")))
    assert image.n_frames == 3
    for number, color in enumerate([(255, 0, 0), (0, 128, 0), (0, 0, 255)]):
        image.seek(number)
        assert image.convert("RGB").getpixel((1, 1)) == color


def test_a_block_says_the_same_when_it_is_read_again():
    first, nested = {0x010F: (2, b"Maker\0"), 0x011A: (5, bytes(8))}, {0x829A: (5, b"\0\0\0\1\0\0\0\2")}
    once = Exif(block([first, nested], nested={0x8769: 1})).kept("keep", upright=False, rights=NO_RIGHTS)
    assert Exif(once).kept("keep", upright=False, rights=NO_RIGHTS) == once
