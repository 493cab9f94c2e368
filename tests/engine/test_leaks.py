"""No other picture is inside a result: a share of all carriers, and whether the detector would see one."""

import base64
import struct
from collections import defaultdict
from xml.sax.saxutils import escape

import pytest
from countermark import engine
from countermark.engine.metadata.leaks import find_leaks
from countermark.engine.metadata.tags import EXIF_IFD, FIRST, Holds
from PIL import Image

from tests.engine.carriers import block, data_set, in_jpeg, noise, notes, packet, resource, segment, sources, traces
from tests.engine.leaks import OPTIONS, what_leaks

SOURCES = list(sources())
#: What no decoder takes for a picture.
REFUSED = {"a chunk fdAT", "ANMF in WebP", "a box moov in HEIC"}


def leaks(files):
    """Return how pictures leak; no source may be refused that is a picture."""
    refused = defaultdict(list)
    found = [leak for source, options in files if (leak := what_leaks(source, options, refused))]
    assert refused.keys() <= REFUSED
    return found


@pytest.mark.slow
def test_every_source_hides_a_picture_that_the_detector_finds():
    unseen = [source.name for source in SOURCES if source.decodable and not find_leaks(source.data)]
    assert unseen == []


def test_there_are_many_carriers():
    assert len(SOURCES) * len(OPTIONS) >= 1000
    assert [source.name for source in SOURCES if len(source.payload) > 100 and not traces(source.payload)] == []


def test_tables_that_pages_had_before_are_no_picture(make):
    pages = [Image.new("RGB", (240, 160), color) for color in ("red", "navy")]
    source = make("TIFF", save_all=True, append_images=pages, compression="jpeg", description="a scan")
    assert find_leaks(engine.process(source, engine.load_options({"text": "Mark"})).data) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_no_picture_leaks(part):
    """Each source with one set of options in turn; `make test-leaks` takes all with all."""
    files = [(source, OPTIONS[number % len(OPTIONS)]) for number, source in enumerate(SOURCES)][part::4]
    assert leaks(files) == []


@pytest.mark.slow
def test_no_picture_leaks_when_coefficients_are_marked():
    assert leaks((source, OPTIONS[0]) for source in SOURCES if source.data.startswith(b"\xff\xd8")) == []


def cut(text, length):
    return [text[at : at + length] for at in range(0, len(text), length)]


def in_xmp(pieces):
    items = "".join(f"<rdf:li>{escape(piece)}</rdf:li>" for piece in pieces)
    words = packet(f"<dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>")
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + words)


def in_iptc(pieces):
    block = b"".join(data_set(2, 25, piece.encode()) for piece in pieces)
    return segment(0xED, b"Photoshop 3.0\0" + resource(0x0404, block))


@pytest.mark.parametrize("carrier", [in_xmp, in_iptc])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.b32encode, base64.a85encode, bytes.hex])
@pytest.mark.parametrize("length", [8, 30, 59])
def test_a_picture_in_short_pieces_does_not_leave(carrier, encode, length):
    hidden = encode(noise((70, 70), 3).convert("L").tobytes())
    text = hidden if isinstance(hidden, str) else hidden.decode()
    pieces = [piece for piece in cut(text, length) if piece.strip() == piece][:900]
    result = engine.process(in_jpeg(carrier(pieces)), engine.load_options({"metadata": "keep"})).data
    left = sum(len(piece) for piece in pieces if escape(piece).encode() in result)
    assert len("".join(pieces)) > 4000
    assert left < 1500


def test_keywords_of_people_stay():
    words = ["Hochzeit", "IMG_2041", "São Paulo", "2026", "iPhone", "свадьба", "結婚式"] * 20
    result = engine.process(in_jpeg(in_xmp(words)), engine.load_options({"metadata": "keep"})).data
    assert all(result.count(f"<rdf:li>{word}</rdf:li>".encode()) == 20 for word in words)


def fuji_notes(values):
    """Return maker's notes of one directory, whose offsets count from its start."""
    table, behind = b"", 12 + 2 + 12 * len(values) + 4
    for number, value in enumerate(values):
        table += struct.pack("<HHII", 0x4001 + number, 7, len(value), behind)
        behind += len(value)
    return b"FUJIFILM" + struct.pack("<IH", 12, len(values)) + table + bytes(4) + b"".join(values)


def left_of(pieces, exif):
    """Return how many bytes of these values an image's copy has."""
    source = in_jpeg(segment(0xE1, b"Exif\0\0" + exif))
    result = engine.process(source, engine.load_options({"metadata": "keep"})).data
    return sum(len(piece) for piece in pieces if piece in result)


@pytest.mark.parametrize("size", [64, 1000, 3000])
def test_a_picture_in_values_of_makers_notes_does_not_leave(size):
    hidden = noise((130, 120), 5).tobytes()
    pieces = [hidden[at : at + size] for at in range(0, 40_000, size)]
    assert left_of(pieces, notes(fuji_notes(pieces), b"FUJIFILM")) == 0
    few = pieces[: 3000 // size]
    assert left_of(few, notes(fuji_notes(few), b"FUJIFILM")) == sum(map(len, few))


def test_a_picture_in_numbers_does_not_leave():
    hidden = noise((70, 50), 5).tobytes()
    tags = [tag for tag, holds in FIRST[EXIF_IFD].items() if holds is Holds.NUMBERS]
    pieces = [hidden[at : at + 128] for at in range(0, 128 * len(tags), 128)]
    directory = {tag: (7, piece) for tag, piece in zip(tags, pieces, strict=True)}
    exif = block([{0x010F: (2, b"A\0")}, directory], nested={EXIF_IFD: 1})
    assert sum(map(len, pieces)) > 4000
    assert left_of(pieces, exif) <= 2048
