"""Gain maps, with which HDR screens show a photograph brighter: whether a file has one."""

from collections.abc import Mapping

from . import jpeg

_ADOBE = b"http://ns.adobe.com/hdr-gain-map/1.0/"  # also of Google's Ultra HDR
_CONTAINED = b"GainMap"  # what Google's list of the pictures in a file calls it
_APPLE = b":aux:hdrgainmap"
_BRAND = b"tmap"  # of HEIC and AVIF, by ISO 21496-1
_BRANDS, _BOXES = 64, 1_000_000  # bytes at the start of a file in which brands and the boxes of its pictures are


def in_jpeg(source: bytes, segments: Mapping[bytes, list[bytes]]) -> bool:
    """Tell whether a JPEG file has a gain map, by what stands before its first scan."""
    if segments[jpeg.GAIN_MAP] or any(_ADOBE in each or _CONTAINED in each for each in segments[jpeg.XMP]):
        return True
    return bool(segments[jpeg.PICTURES]) and _APPLE in source  # Apple's says so in itself


def in_boxes(source: bytes) -> bool:
    """Tell whether a HEIC or AVIF file has a gain map."""
    return _BRAND in source[:_BRANDS] or source.find(_APPLE, 0, _BOXES) >= 0
