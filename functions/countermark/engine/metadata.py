"""What a picture carries besides its pixels, and what of it the result keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .decode import Opened
from .segments import edit_exif, edit_xmp

_SPACES = {b"RGB ": {"RGB", "RGBA"}, b"GRAY": {"L", "LA", "I;16"}, b"CMYK": {"CMYK"}}


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What the result carries besides its pixels."""

    profile: bytes | None
    exif: bytes
    xmp: bytes
    dpi: tuple[float, float] | None
    comment: bytes
    texts: Mapping[str, str] = field(default_factory=dict)  # of PNG: title, author, copyright and the like

    def profile_of(self, mode: str) -> bytes | None:
        """Return the profile when it describes the colours of this mode."""
        fits = self.profile is not None and mode in _SPACES.get(self.profile[16:20], set())
        return self.profile if fits else None


def kept(opened: Opened, choice: str) -> Metadata:
    """Return what the result, turned upright, keeps: `choice` is "keep", "no-location" or "none".

    The profile and the resolution belong to the picture and always stay. The thumbnail never does: it
    shows the picture without its mark.
    """
    info = opened.image.info
    profile, dpi = info.get("icc_profile") or None, _resolution(info.get("dpi"))
    if choice == "none":
        return Metadata(profile=profile, exif=b"", xmp=b"", dpi=dpi, comment=b"")
    xmp, comment = info.get("xmp", b""), info.get("comment", b"")
    return Metadata(
        profile=profile,
        exif=edit_exif(bytes(opened.exif), choice, upright=True),
        xmp=edit_xmp(xmp, choice, upright=True) if isinstance(xmp, bytes) else b"",
        dpi=dpi,
        comment=comment.encode() if isinstance(comment, str) else comment,
        texts=_texts(opened) if opened.format == "PNG" else {},
    )


def _texts(opened: Opened) -> dict[str, str]:
    """Return the texts of a PNG file but for those that hold EXIF or XMP, which have ways of their own."""
    found: Mapping[str, str] = getattr(opened.image, "text", {})
    hidden = ("raw profile", "xml:com.adobe")
    return {name: str(text) for name, text in found.items() if not name.lower().startswith(hidden)}


def _resolution(dpi: object) -> tuple[float, float] | None:
    """Return dots per inch when they make sense."""
    if not isinstance(dpi, tuple) or len(dpi) != 2 or not all(0 < float(each) < 65_535 for each in dpi):
        return None
    return float(dpi[0]), float(dpi[1])
