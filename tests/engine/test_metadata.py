"""What a marked copy carries, and what never leaves."""

import struct
from datetime import datetime
from io import BytesIO

import pytest
from countermark import engine
from countermark.engine.metadata import Exif
from countermark.engine.metadata.rights import NO_RIGHTS
from countermark.engine.metadata.signs import reads
from PIL import Image, ImageCms, PngImagePlugin

from tests.engine.carriers import srgb, with_tag
from tests.engine.profiles import lut

XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" tiff:Orientation="6" '
    b'exif:GPSLatitude="51,30.0N" photoshop:City="London" dc:rights="Studio"><exif:GPSLongitude>0,7.0W'
    b"</exif:GPSLongitude></rdf:Description></rdf:RDF></x:xmpmeta>"
)
MAKER, COPYRIGHT, DATE, ORIENTATION, GPS = 0x010F, 0x8298, 0x9003, 0x0112, 0x8825


def exif_block(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[MAKER], exif[COPYRIGHT], exif[ORIENTATION] = "Countermaker", "(c) Studio", orientation
    exif.get_ifd(0x8769)[DATE] = "2024:05:17 10:20:30"
    exif.get_ifd(GPS).update({1: "N", 2: (51.0, 30.0, 11.5), 3: "W", 4: (0.0, 7.0, 22.25)})
    return exif


def with_thumbnail(block: bytes, thumbnail: bytes) -> bytes:
    """Return an EXIF block whose second directory holds a thumbnail."""
    data = bytearray(block.removeprefix(b"Exif\0\0"))
    order = ">" if data[:2] == b"MM" else "<"
    first = struct.unpack_from(order + "I", data, 4)[0]
    link = first + 2 + 12 * struct.unpack_from(order + "H", data, first)[0]
    data += b"\0" * (len(data) % 2)
    struct.pack_into(order + "I", data, link, len(data))
    at = len(data) + 2 + 24 + 4
    data += struct.pack(order + "H", 2)
    data += struct.pack(order + "HHII", 0x0201, 4, 1, at) + struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail))
    return b"Exif\0\0" + bytes(data) + bytes(4) + thumbnail


def picture(form: str, **settings: object) -> bytes:
    buffer = BytesIO()
    if form == "PNG":
        settings["pnginfo"] = PngImagePlugin.PngInfo()
        settings["pnginfo"].add_itxt("XML:com.adobe.xmp", settings.pop("xmp").decode())
    if form == "TIFF" and "exif" in settings:
        settings["exif"] = settings["exif"].tobytes()
    Image.linear_gradient("L").convert("RGB").resize((128, 64)).save(buffer, form, **settings)
    return buffer.getvalue()


def edited(source: bytes, **fields: str) -> bytes:
    return engine.process(source, engine.parse_options(fields)).data


@pytest.mark.parametrize("way", [{}, {"quality": "90"}], ids=["coefficients", "pixels"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "AVIF", "TIFF"])
def test_exif_is_kept_and_the_picture_is_seen_upright(form, way):
    settings = {"xmp": XMP} if form != "TIFF" else {}
    data = edited(picture(form, exif=exif_block(), **settings), metadata="keep", **way)
    image = Image.open(BytesIO(data))
    exif = image.getexif()
    shown = image.size[::-1] if exif.get(ORIENTATION, 1) == 6 else image.size
    assert shown == (64, 128)
    assert (exif[MAKER], exif[COPYRIGHT]) == ("Countermaker", "(c) Studio")
    assert exif.get_ifd(GPS)[2] == (51.0, 30.0, 11.5)
    assert exif.get_ifd(0x8769)[DATE] == "2024:05:17 10:20:30"


@pytest.mark.parametrize("way", [{}, {"quality": "90"}], ids=["coefficients", "pixels"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "AVIF", "TIFF"])
def test_the_location_can_be_dropped_and_the_copyright_stays(form, way):
    settings = {"xmp": XMP} if form != "TIFF" else {}
    data = edited(picture(form, exif=exif_block(), **settings), metadata="no-location", **way)
    exif = Image.open(BytesIO(data)).getexif()
    assert not exif.get_ifd(GPS)
    assert GPS not in exif
    assert exif[COPYRIGHT] == "(c) Studio"
    for trace in (b"GPSL", b"London", b"0,7.0W"):
        assert trace not in data
    if form in {"JPEG", "WebP", "AVIF"}:
        assert b"Studio" in data


@pytest.mark.parametrize("way", [{}, {"quality": "90"}], ids=["coefficients", "pixels"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "AVIF", "TIFF"])
def test_everything_can_be_dropped(form, way):
    settings = {"xmp": XMP, "comment": b"a comment"} if form == "JPEG" else {"xmp": XMP} if form != "TIFF" else {}
    data = edited(picture(form, exif=exif_block(), **settings), metadata="none", **way)
    image = Image.open(BytesIO(data))
    shown = image.size[::-1] if image.getexif().get(ORIENTATION, 1) == 6 else image.size
    assert shown == (64, 128)
    for trace in (b"Countermaker", b"Studio", b"GPSL", b"London", b"a comment", b"2024:05:17"):
        assert trace not in data


@pytest.mark.parametrize("way", [{}, {"quality": "90"}], ids=["coefficients", "pixels"])
def test_the_thumbnail_without_a_mark_never_leaves(way):
    block = with_thumbnail(exif_block(1).tobytes(), b"\xff\xd8 the unmarked picture \xff\xd9")
    data = edited(picture("JPEG", exif=block), **way)
    assert b"unmarked" not in data
    assert Image.open(BytesIO(data)).getexif()[MAKER] == "Countermaker"


@pytest.mark.parametrize("way", [{}, {"quality": "90"}], ids=["coefficients", "pixels"])
def test_photoshops_thumbnail_leaves_and_iptc_stays(way):
    def resource(number: int, data: bytes) -> bytes:
        return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)

    def dataset(number: int, text: bytes) -> bytes:
        return struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text

    iptc = dataset(116, b"(c) Studio") + dataset(90, b"Paris") + dataset(5, b"Title")
    block = b"Photoshop 3.0\0" + resource(0x0404, iptc) + resource(0x040C, b"unmarked") + resource(0x03ED, b"x")
    plain = picture("JPEG")
    source = plain[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + plain[2:]
    kept, without = edited(source, metadata="keep", **way), edited(source, **way)
    assert b"Paris" in kept
    assert b"Paris" not in without
    for data in (kept, without):
        assert b"unmarked" not in data
        assert b"(c) Studio" in data
        assert b"Title" in data


@pytest.mark.parametrize("way", [{}, {"quality": "90"}], ids=["coefficients", "pixels"])
def test_a_profile_is_kept_byte_for_byte(way):
    profile = with_tag(b"A2B0", lut(b"mft2", 3, 3, 33))  # longer than two segments
    data = edited(picture("JPEG", icc_profile=profile), metadata="none", **way)
    assert Image.open(BytesIO(data)).info["icc_profile"] == profile


@pytest.mark.parametrize("way", [{}, {"quality": "90"}], ids=["coefficients", "pixels"])
def test_what_is_no_profile_is_dropped(way):
    profile = srgb()
    for wrong in (bytes(200), b"profile" * 99, profile[:-40], profile[:36] + b"acps" + profile[40:]):
        data = edited(picture("JPEG", icc_profile=wrong), **way)
        assert "icc_profile" not in Image.open(BytesIO(data)).info


@pytest.mark.parametrize("form", ["PNG", "WebP", "AVIF", "TIFF"])
def test_a_profile_is_kept_in_every_format(form):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    settings = {"xmp": XMP} if form == "PNG" else {}
    data = edited(picture(form, icc_profile=profile, **settings))
    assert Image.open(BytesIO(data)).info["icc_profile"] == profile


def test_the_date_taken_is_written_in_a_mark():
    assert Exif(exif_block().tobytes()).taken == datetime(2024, 5, 17, 10, 20, 30)
    source = picture("JPEG", exif=exif_block(1))
    assert edited(source, text="{date}") == edited(source, text="2024-05-17")
    assert edited(source, text="{year}") == edited(source, text="2024")


def test_name_and_number_are_written_in_a_mark():
    source = picture("PNG", xmp=XMP)
    plain = engine.process(source, engine.parse_options({"text": "b.png 7"})).data
    filled = engine.process(source, engine.parse_options({"text": "{name} {number}"}), name="day1/b.png", number=7).data
    assert plain == filled


def test_damaged_exif_does_not_stop_a_picture():
    block = with_thumbnail(exif_block().tobytes(), b"thumbnail")
    for end in range(0, len(block), 3):
        for damaged in (block[:end], block[:end] + b"\xff" * 40 + block[end + 40 :]):
            exif = Exif(damaged)
            assert exif.orientation in range(1, 9)
            for choice in ("keep", "no-location", "none"):
                again = Exif(exif.kept(choice, upright=False, rights=NO_RIGHTS))
                assert again.orientation == exif.orientation


def test_the_texts_of_a_png_are_kept_or_dropped():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Copyright", "(c) Studio")
    texts.add_itxt("Author", "Студия")
    texts.add_text("Raw profile type exif", "hidden location")
    buffer = BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG", pnginfo=texts)
    kept = Image.open(BytesIO(edited(buffer.getvalue())))
    kept.load()
    assert {**kept.text} == {"Copyright": "(c) Studio", "Author": "Студия"}
    bare = Image.open(BytesIO(edited(buffer.getvalue(), metadata="none")))
    bare.load()
    assert bare.text == {}


TEXTS = (
    "The quick brown fox jumps over the lazy dog. " * 30,
    "© 2026 Studio Müller, https://example.com/terms-and-conditions-for-use/05/V2?id=550e8400-e29b-41d4-a716-446655440000",
    "adobe:docid:photoshop:d3e1a0b2-1f0e-11e8-9a3a-b2f0f7a9d3aa; xmp.iid:F77F11740720681188C6E2D9E9C4E1B3",
    "best quality, Steps: 20, Sampler: DPM++ 2M Karras, Seed: 1234567, Size: 512x768, Model hash: e1441589a6",
    "Canon EOS R5, EF24-70mm f/2.8L II USM, ISO100, RAW CR3; Nikon D850 AF-S 24-120mm f/4G; SONY ILCE-7RM4 FE70-200GM",
    "THE PRESIDENT ARRIVES AT THE AIRPORT IN BERLIN ON MONDAY 12 MAY 2024 FOR THE G7 SUMMIT OF THE EU. " * 4,
    "写真の説明。" * 200,
    '{"exposureTime": 0.01, "fNumber": 2.8, "tags": ["a1", "b2"]}' * 20,
    "Две строки\r\nи ещё одна\t– с табуляцией",
)


ROWS = bytes(range(7, 250, 3)) * 20
NUMBERS = {
    "decimal": " ".join(map(str, ROWS[:1200])),
    "with commas": ",".join(map(str, ROWS[:1200])),
    "fractions": "; ".join(f"{each / 255:.3f}" for each in ROWS[:700]),
    "letters for halves of bytes": "".join(chr(97 + (each >> 4)) + chr(97 + (each & 15)) for each in ROWS),
    "bits": "".join(f"{each:08b}" for each in ROWS[:500]),
}


@pytest.mark.parametrize("way", NUMBERS)
def test_rows_of_numbers_are_no_text(way):
    assert not reads(NUMBERS[way], 5000)


@pytest.mark.parametrize("text", TEXTS)
def test_what_people_write_is_no_picture(text):
    assert reads(text, 5000)
