"""What a picture carries besides its pixels, and what of it the result keeps."""

import re
from dataclasses import dataclass

from .decode import Opened
from .exif import Exif

_LOCATION = re.compile(
    rb"""\s*\b(?:exif|photoshop|Iptc4xmpCore|Iptc4xmpExt|iptcExt):
    (?:GPS\w+|City|State|Country|CountryCode|CountryName|Sublocation|Location|LocationShown|LocationCreated|ProvinceState)
    \s*=\s*(?:"[^"]*"|'[^']*')""",
    re.VERBOSE,
)
_LOCATION_ELEMENT = re.compile(
    rb"""<((?:exif|photoshop|Iptc4xmpCore|Iptc4xmpExt|iptcExt):
    (?:GPS\w+|City|State|Country|CountryCode|CountryName|Sublocation|Location|LocationShown|LocationCreated|ProvinceState))
    \b[^>]*?(?:/>|>.*?</\1\s*>)""",
    re.VERBOSE | re.DOTALL,
)
_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>))\d""")
_PROFILE_SPACES = {b"RGB ": {"RGB", "RGBA"}, b"GRAY": {"L", "LA", "I;16"}, b"CMYK": {"CMYK"}}


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What the result carries besides its pixels."""

    profile: bytes | None
    exif: bytes
    xmp: bytes
    dpi: tuple[float, float] | None
    comment: bytes

    def profile_fits(self, mode: str) -> bool:
        """Tell whether the profile describes the colours of this mode."""
        return self.profile is not None and mode in _PROFILE_SPACES.get(self.profile[16:20], set())


def kept(opened: Opened, choice: str, *, upright: bool = True) -> Metadata:
    """Return what the result keeps: `choice` is "keep", "no-location" or "none".

    The profile and the resolution belong to the picture and always stay. The thumbnail never does: it
    shows the picture without its mark. `upright` says that the pixels have been turned.
    """
    info = opened.image.info
    profile, dpi = info.get("icc_profile") or None, _resolution(info.get("dpi"))
    if choice == "none":
        return Metadata(profile=profile, exif=b"", xmp=b"", dpi=dpi, comment=b"")
    xmp = info.get("xmp", b"")
    xmp = xmp if isinstance(xmp, bytes) else b""
    exif = Exif(bytes(opened.exif))
    exif.drop_thumbnail()
    if upright:
        exif.reset_orientation()
        xmp = _ORIENTATION.sub(rb"\g<1>1", xmp)
    if choice == "no-location":
        exif.drop_location()
        xmp = _LOCATION_ELEMENT.sub(b"", _LOCATION.sub(b"", xmp))
    comment = info.get("comment", b"")
    comment = comment.encode() if isinstance(comment, str) else comment
    return Metadata(profile=profile, exif=bytes(exif), xmp=xmp, dpi=dpi, comment=comment)


def _resolution(dpi: object) -> tuple[float, float] | None:
    """Return dots per inch when they make sense."""
    if not isinstance(dpi, tuple) or len(dpi) != 2 or not all(0 < float(each) < 65_535 for each in dpi):
        return None
    return float(dpi[0]), float(dpi[1])
