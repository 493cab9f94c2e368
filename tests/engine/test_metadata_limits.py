"""Metadata that means harm: none holds a processor, and what is damaged is not there."""

import random
import struct
import time
import zlib

import pytest
from countermark import engine
from countermark.engine.metadata import Exif, Rights, icc, jpeg, png, tiff, xmp
from countermark.engine.metadata.iptc import kept as kept_sets
from countermark.engine.metadata.photoshop import kept as kept_resources
from countermark.engine.metadata.rights import NO_RIGHTS
from countermark.engine.metadata.signs import holds_picture, reads
from PIL import Image

from tests.engine.carriers import base, exif_carriers, icc_carriers, in_jpeg, in_png, packet, resources, segment

SECONDS = 1.0  # of a processor; each takes a tenth of it at most
MANY = 60_000


def spent(began: float) -> float:
    return time.process_time() - began


PACKETS = {
    "spaces in a location": packet("<crs:GPSLatitude" + " " * MANY + "x"),
    "elements that never end": packet("<xmp:Thumbnails " * MANY),
    "properties": packet("".join(f"<crs:p{number}>{'x' * 100}</crs:p{number}>" for number in range(7000))),
    "attributes": packet("", " ".join(f'crs:a{number}="x"' for number in range(MANY))),
    "depth": packet("<dc:x>" * MANY),
    "namespaces": packet("", " ".join(f'xmlns:n{number}="u{number}"' for number in range(40_000))),
    "items": packet("<dc:subject><rdf:Bag>" + "<rdf:li>x</rdf:li>" * 50_000 + "</rdf:Bag></dc:subject>"),
    "a text": packet("<dc:source>" + "a " * 400_000 + "</dc:source>"),
    "openings": b"<" * 900_000,
    "declarations": b"<?xml " + b" " * 900_000,
    "entities": b'<!DOCTYPE x [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]>' + packet("<dc:a>&b;</dc:a><dc:b>x</dc:b>"),
    "a file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + packet("<dc:a>&a;</dc:a><dc:b>x</dc:b>"),
    "descriptions": packet("</rdf:Description>" + '<rdf:Description dc:a="1"/>' * 30_000 + "<rdf:Description>"),
}


@pytest.mark.parametrize("name", PACKETS)
def test_no_packet_takes_long(name):
    for longest in (65_000, 1 << 20):
        began = time.process_time()
        written = xmp.kept(PACKETS[name], "no-location", upright=True, rights=NO_RIGHTS, longest=longest)
        assert spent(began) < SECONDS
        assert len(written) <= longest


def test_no_entity_is_followed():
    for name in ("entities", "a file"):
        assert xmp.kept(PACKETS[name], "keep", upright=True, rights=NO_RIGHTS) == b""


def test_no_directory_takes_long():
    """Each tag is read once, however often it stands there and however large it says to be."""
    big = bytes(3_000_000)
    for tag in (0x8769, 0x8825, 0x010E, 0x927C):
        entries = b"".join(struct.pack(">HHII", tag, 4 if tag in {0x8769, 0x8825} else 7, 1, 8) for _ in range(65_000))
        large = b"".join(struct.pack(">HHII", tag, 7, len(big), 8) for _ in range(65_000))
        for table in (entries, large):
            block = b"MM\0*\0\0\0\x08" + struct.pack(">H", 65_000) + table + bytes(4) + big
            began = time.process_time()
            Exif(block).kept("no-location", upright=True, rights=NO_RIGHTS)
            tiff.read_page(block)
            assert spent(began) < SECONDS


@pytest.mark.parametrize(
    "data", [b"x\x9c" * 32_000, b"\x1f\x8b\x08" * 20_000, b"A" * 65_000, b"&#" * 32_000, b"ab " * 21_000, bytes(65_000)]
)
def test_no_value_takes_long_to_look_at(data):
    began = time.process_time()
    holds_picture(data)
    reads(data.decode("latin-1"), len(data))
    assert spent(began) < SECONDS


def test_a_text_that_grows_is_not_unpacked():
    bomb = zlib.compress(bytes(50_000_000), 9)
    chunk = b"Comment\0\0" + bomb
    source = in_png(struct.pack(">I4s", len(chunk), b"zTXt") + chunk + bytes(4))
    began = time.process_time()
    assert png.read_chunks(source).texts.get("Comment", "") == "\0" * 20_000
    assert spent(began) < SECONDS


def changed(data: bytes, chance: random.Random) -> bytes:
    """Return a block with some of its bytes changed, cut out or doubled."""
    result = bytearray(data)
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(min(len(result), 400) or 1)
        what = chance.randrange(6)
        if what == 0:
            del result[at : at + chance.randrange(1, 30)]
        elif what == 1:
            result[at:at] = result[at : at + chance.randrange(1, 30)]
        else:
            result[at : at + 1] = bytes((chance.choice((0, 1, 2, 4, 5, 7, 8, 127, 128, 255, chance.randrange(256))),))
    return bytes(result)


@pytest.mark.slow
def test_damage_ends_in_metadata_and_never_in_an_error():
    chance = random.Random(12)
    rights = Rights(creator="Me", copyright="(c)")
    exifs = [data for _, data, _, _ in exif_carriers()]
    blocks = [data for _, data, _, _ in resources()]
    profiles = [data for _, data, _, _ in icc_carriers()]
    for number in range(400):
        choice = ("keep", "no-location", "none")[number % 3]
        exif = Exif(changed(chance.choice(exifs), chance))
        again = Exif(exif.kept(choice, upright=False, rights=rights, longest=65_000))
        assert (again.orientation, again.text(0x013B)) == (exif.orientation, "Me")
        block = changed(chance.choice(blocks), chance)
        kept_resources(block, block[12:], choice, rights=NO_RIGHTS)
        kept_sets(block[12:], choice, rights=NO_RIGHTS)
        icc.checked(changed(chance.choice(profiles), chance))
        png.read_chunks(changed(in_png(), chance))
        jpeg.put_segments(changed(in_jpeg(segment(0xEB, b"x" * 40)), chance), [])
        tiff.read_page(changed(exifs[0], chance))
        xmp.kept(changed(packet("<dc:source>x</dc:source>"), chance), choice, upright=True, rights=NO_RIGHTS)


class Raw(engine.ImageTask):
    """Make a picture whose pixels are the bytes of another one."""

    task: str = "raw"

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:  # noqa: ARG002
        """Return the other picture's bytes as grey rows, upside down as BMP writes them."""
        data = base("JPEG", quality=90)
        rows = [data[at : at + 400].ljust(400, b"\0") for at in range(0, len(data), 400)]
        return Image.frombytes("L", (400, len(rows)), b"".join(reversed(rows)))


def test_the_switch_stops_a_result_that_holds_a_picture(monkeypatch):
    options = engine.Options(tasks=(Raw(),), format="BMP")
    assert engine.process(base("PNG"), options).data[:2] == b"BM"
    monkeypatch.setenv("COUNTERMARK_FIND_LEAKS", "1")
    with pytest.raises(engine.LeakedPicture, match="another picture"):
        engine.process(base("PNG"), options)
    assert engine.process(base("PNG"), engine.Options()).format == "PNG"
