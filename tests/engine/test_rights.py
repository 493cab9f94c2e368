"""Creator, copyright and usage terms are written; what a picture says of itself stays where nothing replaces it."""

import re
from io import BytesIO

import pytest
from countermark import engine
from PIL import Image, IptcImagePlugin

from tests.engine.carriers import (
    EXIF_HEAD,
    PHOTOSHOP,
    XMP_HEAD,
    base,
    block,
    data_set,
    in_jpeg,
    packet,
    resource,
    segment,
)

RIGHTS = {"creator": "Ада Лавлейс", "copyright": "© 2026 Studio & Sons", "usage_terms": "Ask first: <studio>"}
ARTIST, COPYRIGHT = 0x013B, 0x8298
WAYS = {
    "coefficients": ("JPEG", {}),
    "pixels": ("JPEG", {"quality": "90"}),
    **{form: (form, {}) for form in ("PNG", "WebP", "AVIF", "TIFF")},
    "PNG to JPEG": ("PNG", {"format": "jpeg"}),
    "JPEG to TIFF": ("JPEG", {"format": "tiff"}),
    "GIF to PNG": ("GIF", {"format": "png"}),
}


def opened(source: bytes, **fields: str) -> Image.Image:
    image = Image.open(BytesIO(engine.process(source, engine.parse_options(fields)).data))
    image.load()
    return image


def packet_of(image: Image.Image) -> str:
    found = image.info.get("xmp") or image.tag_v2[700]
    return (found if isinstance(found, bytes) else bytes(found)).decode()


def said(tag: str, image: Image.Image) -> str | None:
    """Return the text of an XMP property, its lists and marks of language aside."""
    found = re.search(f"<{tag}>(.*?)</{tag}>", packet_of(image))
    return found and re.sub("<[^>]*>", "", found[1])


def utf8(text: str) -> str:
    """Return what Pillow makes of UTF-8 in a tag of EXIF, which it reads as Latin-1."""
    return text.encode().decode("latin-1")


@pytest.mark.parametrize("metadata", ["keep", "no-location", "none"])
@pytest.mark.parametrize("way", WAYS)
def test_rights_are_written(way, metadata):
    form, fields = WAYS[way]
    image = opened(base(form.upper()), metadata=metadata, **fields, **RIGHTS)
    exif = image.getexif()
    assert {exif[ARTIST], exif[COPYRIGHT]} <= {utf8(RIGHTS["creator"]), utf8(RIGHTS["copyright"]), *RIGHTS.values()}
    assert said("dc:creator", image) == RIGHTS["creator"]
    assert said("dc:rights", image) == "© 2026 Studio &amp; Sons"
    assert said("xmpRights:UsageTerms", image) == "Ask first: &lt;studio&gt;"
    assert said("xmpRights:Marked", image) == "True"
    if image.format in {"JPEG", "TIFF"}:
        sets = IptcImagePlugin.getiptcinfo(image)
        assert sets[1, 90] == b"\x1b%G"
        assert (sets[2, 80].decode(), sets[2, 116].decode()) == (RIGHTS["creator"], RIGHTS["copyright"])


def full() -> bytes:
    """Return a picture that says who made it in every way."""
    tags = {0x010F: b"Countermaker\0", ARTIST: b"An Artist\0", COPYRIGHT: b"Theirs, all of it\0"}
    exif = block([{tag: (2, words) for tag, words in tags.items()}])
    sets = data_set(2, 80, "Françoise".encode("latin-1")) + data_set(2, 116, b"Theirs") + data_set(2, 25, b"a word")
    xmp = packet(
        "<dc:creator><rdf:Seq><rdf:li>An Artist</rdf:li></rdf:Seq></dc:creator><dc:rights><rdf:Alt>"
        '<rdf:li xml:lang="x-default">Theirs</rdf:li></rdf:Alt></dc:rights><dc:source>a negative</dc:source>'
    )
    return in_jpeg(
        segment(0xE1, EXIF_HEAD + exif),
        segment(0xE1, XMP_HEAD + xmp),
        segment(0xED, PHOTOSHOP + resource(1028, sets)),
    )


@pytest.mark.parametrize("fields", [{}, {"quality": "90"}], ids=["coefficients", "pixels"])
def test_what_is_not_replaced_stays(fields):
    image = opened(full(), copyright="Ours", **fields)
    exif, sets = image.getexif(), IptcImagePlugin.getiptcinfo(image)
    assert (exif[0x010F], exif[ARTIST], exif[COPYRIGHT]) == ("Countermaker", "An Artist", "Ours")
    assert (sets[2, 80].decode(), sets[2, 116], sets[2, 25]) == ("Françoise", b"Ours", b"a word")
    assert (said("dc:creator", image), said("dc:rights", image), said("dc:source", image)) == (
        "An Artist",
        "Ours",
        "a negative",
    )


def test_without_rights_nothing_is_added():
    image = opened(base("JPEG"))
    assert not image.getexif()
    assert "xmp" not in image.info
    assert "photoshop" not in image.info


@pytest.mark.parametrize("text", ["a\0b", "\x1b[2J", "x" * 1001, "\ud800"])
def test_a_text_that_is_none_is_refused(text):
    with pytest.raises(engine.InvalidOptions) as refused:
        engine.load_options({"copyright": text})
    assert [error["field"] for error in refused.value.errors] == ["copyright"]


def test_rights_do_not_keep_a_jpeg_from_being_marked_in_its_coefficients():
    source = base("JPEG", quality=90)
    plain, with_rights = opened(source), opened(source, **RIGHTS)
    assert plain.tobytes() == with_rights.tobytes()
    assert plain.quantization == Image.open(BytesIO(source)).quantization


def test_rights_come_before_whatever_fills_a_packet_or_a_block():
    rights = {"creator": "Jane Doe", "copyright": "© Jane Doe, all rights reserved", "usage_terms": "Ask first. " * 20}
    many = packet("".join(f"<dc:x{number}>short word</dc:x{number}>" for number in range(1300)))
    assert len(many) < 65_000
    words = engine.process(in_jpeg(segment(0xE1, XMP_HEAD + many)), engine.load_options(rights)).data
    for each in rights.values():
        assert each.strip().encode() in words
    exif, buffer = Image.Exif(), BytesIO()
    for tag in (0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x013C):
        exif[tag] = "word and words " * 320
    for tag in (0xA430, 0xA431, 0xA433, 0xA434, 0xA435, 0xA436, 0xA437):
        exif.get_ifd(0x8769)[tag] = "lens and words " * 320
    Image.new("RGB", (320, 240), "gray").save(buffer, "WEBP", exif=exif.tobytes())
    assert len(exif.tobytes()) > 65_533
    result = opened(buffer.getvalue(), format="jpeg", **rights)
    assert result.getexif()[ARTIST] == "Jane Doe"
