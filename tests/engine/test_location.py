"""Where a picture was taken leaves it unless it is to stay, whatever says it and under whatever name."""

from io import BytesIO

import pytest
from countermark import engine
from countermark.engine.metadata.places import is_place
from countermark.engine.metadata.xmp import KNOWN
from PIL import Image

from tests.engine.carriers import (
    EXIF_HEAD,
    PHOTOSHOP,
    XMP_HEAD,
    base,
    block,
    chunk,
    data_set,
    directory_notes,
    in_jpeg,
    in_png,
    in_tiff,
    notes,
    packet,
    resource,
    riff,
    segment,
)

NAMES = (
    *("GPSLatitude", "GPSLongitude", "GPSAltitude", "GPSImgDirection", "GpsLatitude", "GpsLongtitude", "Latitude"),
    *("AbsoluteAltitude", "RelativeAltitude", "City", "State", "Country", "CountryCode", "Location", "SubLocation"),
    *("Sublocation", "ProvinceState", "CountryName", "WorldRegion", "LocationName", "LocationId", "GeoTag"),
)
#: What is no place of a photograph, though it may sound so.
OTHERS = ("CiAdrCity", "CiAdrCtry", "WebStatement", "Rating", "Creator", "LensModel", "Placement", "DateCreated")
PLACE = "Somewhere"


def copies(source: bytes, **fields: str) -> list[bytes]:
    """Return the copies of a file in its own format, by coefficients where it is a JPEG file, and in others."""
    ways = ({}, {"quality": "90"}, {"format": "png"}, {"format": "webp"}, {"format": "tiff"}, {"format": "jpeg"})
    return [engine.process(source, engine.parse_options({**way, **fields})).data for way in ways]


def properties(names: tuple[str, ...]) -> bytes:
    """Return a packet that says something of each name in every namespace, by prefixes of its own."""
    spaces = " ".join(f'xmlns:z{number}="{space}"' for number, space in enumerate(KNOWN))
    attributes = " ".join(f'z{number}:{name}="{PLACE} {name}"' for number, _ in enumerate(KNOWN) for name in names[::2])
    elements = "".join(
        f"<z{number}:{name}><rdf:Bag><rdf:li>{PLACE} {name}</rdf:li></rdf:Bag></z{number}:{name}>"
        for number, _ in enumerate(KNOWN)
        for name in names[1::2]
    )
    return packet(elements, f"{spaces} {attributes}")


CONTAINERS = {
    "JPEG": lambda data: in_jpeg(segment(0xE1, XMP_HEAD + data)),
    "PNG": lambda data: in_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + data)),
    "WebP": lambda data: riff((b"XMP ", data)),
    "TIFF": lambda data: in_tiff({0x02BC: (1, data)}),
    "8BIM 1060": lambda data: in_jpeg(segment(0xED, PHOTOSHOP + resource(1060, data))),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_no_property_of_any_namespace_says_where(container):
    source = CONTAINERS[container](properties(NAMES))
    assert all(PLACE.encode() not in copy for copy in copies(source))
    assert all(PLACE.encode() in copy for copy in copies(source, metadata="keep"))


def test_what_is_no_place_stays():
    source = CONTAINERS["PNG"](properties(OTHERS))
    assert [is_place(name) for name in OTHERS] == [False] * len(OTHERS)
    for copy in copies(source):
        assert [name for name in OTHERS if f"{PLACE} {name}".encode() not in copy] == []


def test_a_place_inside_a_structure_leaves():
    inside = (
        '<e:LocationShown xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><rdf:Bag><rdf:li>'
        f'<rdf:Description e:City="{PLACE}"/></rdf:li></rdf:Bag></e:LocationShown><dc:source>Studio</dc:source>'
    )
    for copy in copies(CONTAINERS["JPEG"](packet(inside))):
        assert PLACE.encode() not in copy
        assert b"Studio" in copy


def test_iptcs_places_leave():
    sets = b"".join(data_set(2, number, PLACE.encode()) for number in (26, 27, 90, 92, 95, 100, 101))
    sets += data_set(2, 116, b"(c) Studio")
    for source in (
        in_jpeg(segment(0xED, PHOTOSHOP + resource(1028, sets))),
        in_tiff({0x83BB: (7, sets)}),
        in_tiff({0x8649: (1, resource(1028, sets))}),
    ):
        assert all(PLACE.encode() not in copy for copy in copies(source))
        in_own_format = copies(source)[0]
        assert b"(c) Studio" in in_own_format


def test_the_texts_of_a_png_that_say_where_leave():
    names = (b"exif:GPSLatitude", b"City", b"location")
    source = in_png(*(chunk(b"tEXt", name + b"\0" + PLACE.encode()) for name in names), chunk(b"tEXt", b"Author\0Me"))
    copy = engine.process(source, engine.Options()).data
    assert PLACE.encode() not in copy
    assert Image.open(BytesIO(copy)).text == {"Author": "Me"}


def with_notes(data: bytes, make: bytes) -> bytes:
    return in_jpeg(segment(0xE1, EXIF_HEAD + notes(data, make)))


def kept_notes(source: bytes, **fields: str) -> bytes | None:
    data = engine.process(source, engine.parse_options(fields)).data
    return Image.open(BytesIO(data)).getexif().get_ifd(0x8769).get(0x927C)


@pytest.mark.parametrize(
    ("make", "head", "tag"),
    [(b"Panasonic", b"Panasonic\0\0\0", 0x0067), (b"SAMSUNG", b"", 0x0031), (b"PENTAX", b"AOC\0MM", 0x0024)],
)
def test_the_places_that_notes_are_known_to_have_are_blanked(make, head, tag):
    trial = with_notes(b"x" * 40, make)
    at = trial.index(b"x" * 40) - trial.index(EXIF_HEAD) - len(EXIF_HEAD)
    data = bytearray(directory_notes(head, tag, b"A village by the sea"))
    if make != b"SAMSUNG":  # offsets count from the block
        offset = len(data) - 20 + at
        data[len(head) + 10 : len(head) + 14] = offset.to_bytes(4, "big")
    source = with_notes(bytes(data), make)
    assert kept_notes(source, metadata="keep") == bytes(data)
    assert kept_notes(source) == bytes(data[:-20]) + bytes(20)


@pytest.mark.parametrize("metadata", ["keep", "no-location"])
def test_notes_that_nobody_knows_are_dropped(metadata):
    assert kept_notes(with_notes(b"written by nobody" * 5, b"Nobody"), metadata=metadata) is None


def test_a_gps_directory_leaves_whatever_is_in_it():
    gps = {1: (2, b"N\0"), 2: (5, bytes(24)), 0x1C: (7, b"ASCII\0\0\0" + PLACE.encode()), 0x9999: (2, PLACE.encode())}
    data = block([{0x010F: (2, b"Countermaker\0")}, gps], nested={0x8825: 1})
    for source in (in_jpeg(segment(0xE1, EXIF_HEAD + data)), base("AVIF", exif=data), in_png(chunk(b"eXIf", data))):
        for copy in copies(source):
            assert PLACE.encode() not in copy
            assert b"Countermaker" in copy
