"""XMP, parsed and written anew: texts of known namespaces, in lists and plain structures, and nothing else.

lxml reads it, which is the fastest of the safe parsers. A DOCTYPE is refused before it sees one: no entities, no files.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from .places import is_place
from .rights import Rights
from .signs import Texts

if TYPE_CHECKING:
    from lxml import etree

_LARGEST = 1_000_000  # bytes; Photoshop's longest histories are below
_MOST_NAMESPACES = 500
_MOST_VALUES = 5000
_MOST_ATTRIBUTES = 1000  # of one element
_FRAME = 3000  # bytes of a packet around its properties, with all namespaces
_LONGEST_TEXT = 5000
_LONGEST_NAME = 60
_DEEPEST = 3  # a list of structures of lists

_RDF, _XML = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://www.w3.org/XML/1998/namespace"
_META = "adobe:ns:meta/"
_DC, _RIGHTS, _TIFF = (
    "http://purl.org/dc/elements/1.1/",
    "http://ns.adobe.com/xap/1.0/rights/",
    "http://ns.adobe.com/tiff/1.0/",
)
#: Namespaces that a copy may carry -> their usual prefix.
KNOWN = {
    _DC: "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    _RIGHTS: "xmpRights",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    _TIFF: "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://creativecommons.org/ns#": "cc",
    "http://ns.adobe.com/camera-raw-settings/1.0/": "crs",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://ns.microsoft.com/photo/1.0/": "MicrosoftPhoto",
    "http://ns.microsoft.com/photo/1.0": "MicrosoftPhoto_1_",
    "http://www.digikam.org/ns/1.0/": "digiKam",
    "http://ns.acdsee.com/iptc/1.0/": "acdsee",
    "http://ns.google.com/photos/1.0/panorama/": "GPano",
    "http://www.dji.com/drone-dji/1.0/": "drone-dji",
}
#: What holds pictures, or says of the file what is true of the source alone.
_NEVER = {
    "Thumbnails",
    "PageInfo",
    "NativeDigest",
    "LegacyIPTCDigest",
    "DocumentAncestors",
    "History",
}
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,35}")
_LISTS = {"Bag", "Seq", "Alt"}

# A value is a text, a list (its kind, and items with their language) or a structure (namespace and name -> value).
_Value = Any
_Properties = dict[tuple[str, str], _Value]


def kept(packet: bytes, choice: str, *, upright: bool, rights: Rights, longest: int = _LARGEST) -> bytes:
    """Return a new packet of at most `longest` bytes, or nothing.

    `choice` is "keep", "no-location" or "none"; `upright` says that the pixels have been turned.
    """
    properties: _Properties = {}
    if packet and choice != "none":
        properties = _Reading(places=choice == "keep").properties(packet)
    if upright and (_TIFF, "Orientation") in properties:
        properties[_TIFF, "Orientation"] = "1"
    wanted = _of_rights(rights)
    properties |= wanted
    if not properties:
        return b""
    written = _written(properties)
    if len(written) > longest:
        room = longest - _FRAME - _length(wanted)
        others = {name: value for name, value in properties.items() if name not in wanted}
        written = _written(_shortest(others, room) | wanted)
    return written


def _shortest(properties: _Properties, room: int) -> _Properties:
    """Return the shortest of the properties that fit into `room` bytes together."""
    found: _Properties = {}
    for name, value in sorted(properties.items(), key=lambda each: _length(dict([each]))):
        room -= _length({name: value})
        if room < 0:
            break
        found[name] = value
    return found


def _length(properties: _Properties) -> int:
    return len(_elements(properties).encode())


def _of_rights(rights: Rights) -> _Properties:
    found: _Properties = {}
    if rights.creator:
        found[_DC, "creator"] = ("Seq", [("", rights.creator)])
    if rights.copyright:
        found[_DC, "rights"] = ("Alt", [("x-default", rights.copyright)])
        found[_RIGHTS, "Marked"] = "True"
    if rights.usage_terms:
        found[_RIGHTS, "UsageTerms"] = ("Alt", [("x-default", rights.usage_terms)])
    return found


class _Reading:
    """One packet being read, and how much of it has been."""

    def __init__(self, *, places: bool) -> None:
        self._places, self._left = places, _MOST_VALUES
        self._texts = Texts()

    def properties(self, packet: bytes) -> _Properties:
        root = _parsed(packet)
        if root is None:
            return {}
        found: _Properties = {}
        for description in root.iter(f"{{{_RDF}}}Description"):
            parent = description.getparent()
            if parent is not None and parent.tag == f"{{{_RDF}}}RDF":
                found |= self._structure(description, 0)
        return found

    def _structure(self, element: "etree._Element", depth: int) -> _Properties:
        found: _Properties = {}
        # lxml looks each attribute up by its name: the time grows with the square of their number.
        attributes = element.attrib.items() if len(element.attrib) <= _MOST_ATTRIBUTES and self._left > 0 else []
        for name, words in attributes:
            if (known := self._known(name)) and (value := self._text(str(words))):
                found[known] = value
        for child in element:
            if (known := self._known(child.tag)) and (value := self._value(child, depth)):
                found[known] = value
        return found

    def _value(self, element: "etree._Element", depth: int) -> _Value:
        self._left -= 1
        if depth == _DEEPEST or self._left < 0:
            return None
        children = list(element)
        if not children:
            return self._text(element.text or "") or self._structure(element, depth + 1)
        space, name = _split(children[0].tag)
        if len(children) == 1 and space == _RDF and name in _LISTS:
            items = [
                (_language(item.get(f"{{{_XML}}}lang")), value)
                for item in children[0]
                if item.tag == f"{{{_RDF}}}li" and (value := self._value(item, depth + 1))
            ]
            return (name, items) if items else None
        if len(children) == 1 and (space, name) == (_RDF, "Description"):
            return self._structure(children[0], depth + 1)
        return self._structure(element, depth + 1)

    def _known(self, tag: object) -> tuple[str, str] | None:
        """Return the namespace and the name of what may be kept."""
        space, name = _split(tag)
        self._left -= 1
        if (
            space not in KNOWN
            or name in _NEVER
            or len(name) > _LONGEST_NAME
            or self._left < 0
            or (not self._places and is_place(name))
        ):
            return None
        return space, name

    def _text(self, words: str) -> str | None:
        words = words.strip()
        return words if words and self._texts.read(words, _LONGEST_TEXT) else None


def _language(name: object) -> str:
    return name if isinstance(name, str) and _LANGUAGE.fullmatch(name) else ""


def _split(tag: object) -> tuple[str, str]:
    """Return namespace and name of a tag; those of comments and the like are empty."""
    space, _, name = tag[1:].partition("}") if isinstance(tag, str) and tag.startswith("{") else ("", "", "")
    return space, name


def _parsed(packet: bytes) -> "etree._Element | None":
    words = _decoded(packet)
    if len(packet) > _LARGEST or "<!DOCTYPE" in words or words.count("xmlns") > _MOST_NAMESPACES:
        return None
    from lxml import etree  # late: most files have no XMP, and it takes 10 ms

    words = words[words.find("<") : words.rfind(">") + 1]
    words = re.sub(r"\A<\?xml\b[^>]{0,200}>", "", words)  # its encoding is not ours
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(words.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _decoded(packet: bytes) -> str:
    """Return a packet's text; it may be in any form of Unicode."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe\0\0", "utf-32-le"),
        (b"\0\0\xfe\xff", "utf-32-be"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
        (b"<\0\0\0", "utf-32-le"),
        (b"\0\0\0<", "utf-32-be"),
        (b"<\0", "utf-16-le"),
        (b"\0<", "utf-16-be"),
    ):
        if packet.startswith(mark):
            return packet.decode(encoding, "replace")
    return packet.decode("utf-8", "replace")


def _written(properties: _Properties) -> bytes:
    spaces = sorted({space for space, _ in _names(properties)}, key=KNOWN.__getitem__)
    declared = "".join(f' xmlns:{KNOWN[space]}="{space}"' for space in spaces)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="{_META}"><rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about=""{declared}>'
        f"{_elements(properties)}"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _elements(properties: _Properties) -> str:
    return "".join(_element(f"{KNOWN[space]}:{name}", value) for (space, name), value in properties.items())


def _element(name: str, value: _Value, attribute: str = "") -> str:
    if isinstance(value, str):
        return f"<{name}{attribute}>{escape(value)}</{name}>"
    if isinstance(value, dict):
        return f'<{name}{attribute} rdf:parseType="Resource">{_elements(value)}</{name}>'
    kind, items = value
    inner = "".join(_element("rdf:li", item, f' xml:lang="{language}"' if language else "") for language, item in items)
    return f"<{name}{attribute}><rdf:{kind}>{inner}</rdf:{kind}></{name}>"


def _names(properties: _Properties) -> Iterator[tuple[str, str]]:
    """Yield the names of properties, and of those in them."""
    for name, value in properties.items():
        yield name
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, tuple):
                waiting += [inner for _, inner in each[1]]
            elif isinstance(each, dict):
                yield from _names(each)
