"""What a picture carries besides its pixels, and what of it the result keeps: the one way from a source to a result.

Everything is on a list or stays behind: what this package does not know is not in a result, and what it knows is read,
checked and written anew, so that no byte of the source comes along for being near.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from ..turned import swaps
from . import gain_map, icc, jpeg, photoshop, png, tiff, xmp
from .exif import Exif, decoded
from .places import is_place
from .primaries import profile_of_chunks
from .signs import Texts, reads

if TYPE_CHECKING:
    from ..decode import Opened
    from ..task import Output

_SPACES = {b"RGB ": {"RGB", "RGBA"}, b"GRAY": {"L", "LA"}, b"CMYK": {"CMYK"}}
_LONGEST_COMMENT = 5000
_LONGEST_NAME = 79  # of a PNG text
_MOST_TEXTS = 200_000  # letters of all texts of a PNG together
_ANY = 1 << 20  # bytes of EXIF or XMP where a format sets no limit


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The metadata of a source as it stands there."""

    exif: bytes = b""  # of a TIFF file, all of it
    xmp: bytes = b""
    iptc: bytes = b""
    photoshop: bytes = b""
    comments: tuple[bytes, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)  # of PNG: title, author, copyright and the like
    profile: bytes = b""  # ICC
    colors: Mapping[bytes, bytes] = field(default_factory=dict)  # chunks of PNG that say how samples are meant
    grey: bool = False  # whether these samples are grey
    gain_map: bool = False  # whether another picture beside it brightens it on HDR screens


def read_blocks(source: bytes, form: str, image: Image.Image) -> Blocks:
    """Return the metadata of a file of the format `form`."""
    profile = _bytes(image.info.get("icc_profile"))
    if form == "JPEG":
        segments = jpeg.read_segments(source)
        resources = b"".join(segments[jpeg.PHOTOSHOP])  # long ones span several
        return Blocks(
            exif=_first(segments[jpeg.EXIF]),
            xmp=_first(segments[jpeg.XMP]) or photoshop.found(resources, photoshop.XMP),
            iptc=photoshop.found(resources, photoshop.IPTC),
            photoshop=resources,
            comments=tuple(segments[b""]),
            profile=profile,
            gain_map=gain_map.in_jpeg(source, segments),
        )
    if form == "PNG":
        chunks = png.read_chunks(source)
        sets = chunks.iptc or photoshop.found(chunks.photoshop, photoshop.IPTC)
        return Blocks(
            exif=chunks.exif,
            xmp=chunks.xmp,
            iptc=sets,
            photoshop=chunks.photoshop,
            texts=chunks.texts,
            profile=chunks.profile,
            colors=chunks.colors,
            grey=png.is_grey(source),
        )
    if form == "TIFF":
        page = tiff.read_page(source)
        sets = page.iptc or photoshop.found(page.photoshop, photoshop.IPTC)
        return Blocks(exif=source, xmp=page.xmp, iptc=sets, photoshop=page.photoshop, profile=profile)
    return Blocks(
        profile=profile,
        gain_map=form in {"HEIC", "AVIF"} and gain_map.in_boxes(source),
        exif=_bytes(image.info.get("exif")),
        xmp=_bytes(image.info.get("xmp")),
        comments=(_bytes(image.info.get("comment")),),
    )


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What the result carries besides its pixels."""

    exif: bytes
    xmp: bytes
    iptc: bytes
    photoshop: bytes  # with `iptc` in it
    comment: str
    profile: bytes | None
    dpi: tuple[float, float] | None
    texts: Mapping[str, str] = field(default_factory=dict)  # of PNG
    colors: Mapping[bytes, bytes] = field(default_factory=dict)  # of PNG

    def profile_of(self, mode: str) -> bytes | None:
        """Return the profile when it describes the colours of this mode."""
        fits = self.profile is not None and mode in _SPACES.get(self.profile[16:20], set())
        return self.profile if fits else None

    def put_into_jpeg(self, data: bytes, mode: str) -> bytes:
        """Return a JPEG file with this as all its metadata."""
        profile = self.profile_of(mode)
        return jpeg.put_segments(data, jpeg.segments_of(self.exif, self.xmp, self.photoshop, profile, self.comment))

    def put_into_png(self, data: bytes) -> bytes:
        """Return a PNG file with what says how its samples are meant; the rest is there already."""
        return png.put_chunks(data, self.colors)

    def put_into_tiff(self, data: bytes) -> bytes:
        """Return a TIFF file that Pillow wrote with this on its first page; the profile is there already."""
        order, tags = Exif(self.exif).as_tags()
        return tiff.put_page(data, order, tags, tiff.Page(xmp=self.xmp, iptc=self.iptc, photoshop=self.photoshop))


def kept(opened: "Opened", output: "Output", *, upright: bool) -> Metadata:
    """Return what the result of a source carries; `upright` says that the pixels have been turned.

    The profile and the resolution belong to the picture and always stay. A picture beside the picture never does:
    it carries no mark.
    """
    blocks, choice, rights = opened.blocks, output.metadata, output.rights
    room = jpeg.LONGEST - len(jpeg.XMP) if output.format == "JPEG" else _ANY
    resources = photoshop.kept(blocks.photoshop, blocks.iptc, choice, rights=rights)
    if len(resources) > _ANY:
        resources = photoshop.kept(b"", b"", choice, rights=rights)
    return Metadata(
        exif=opened.exif.kept(choice, upright=upright, rights=rights, longest=room),
        xmp=xmp.kept(blocks.xmp, choice, upright=upright, rights=rights, longest=room),
        iptc=photoshop.found(resources, photoshop.IPTC),
        photoshop=resources,
        comment="" if choice == "none" else _comment(blocks.comments),
        profile=opened.profile if blocks.profile or output.format != "PNG" else None,  # there are its chunks then
        dpi=_dpi(opened, output, upright=upright),
        colors=_colors(opened, output, upright=upright),
        texts={} if choice == "none" else _texts(blocks.texts, places=choice == "keep"),
    )


def profile_of(blocks: Blocks) -> bytes | None:
    """Return the ICC profile of a source when it is one, or what else of its file says the same."""
    return icc.checked(blocks.profile) or profile_of_chunks(blocks.colors, grey=blocks.grey)


def _comment(comments: tuple[bytes, ...]) -> str:
    """Return the first comment that is a text."""
    texts = (decoded(comment).strip("\0 \r\n") for comment in comments)
    return next((words for words in texts if words and reads(words, _LONGEST_COMMENT)), "")


def _texts(texts: Mapping[str, str], *, places: bool) -> dict[str, str]:
    together = Texts()
    good = {
        name: words
        for name, words in texts.items()
        if len(name) <= _LONGEST_NAME and together.read(words, _LONGEST_COMMENT) and (places or not is_place(name))
    }
    return good if sum(map(len, good.values())) <= _MOST_TEXTS else {}


def _colors(opened: "Opened", output: "Output", *, upright: bool) -> Mapping[bytes, bytes]:
    """Return the chunks of a PNG file that are true of its copy."""
    if output.format != "PNG":
        return {}
    found = opened.blocks.colors
    colors = png.turned(found) if upright and swaps(opened.exif.orientation) else dict(found)
    if opened.profile and opened.blocks.profile:
        colors.pop(b"sRGB", None)  # only one of both may say what colours are
    return colors


def _dpi(opened: "Opened", output: "Output", *, upright: bool) -> tuple[float, float] | None:
    """Return dots per inch; a PNG file says it in a chunk that it may have already."""
    if b"pHYs" in opened.blocks.colors and output.format == "PNG":
        return None
    dpi = _resolution(opened.image.info.get("dpi"))
    # A TIFF file says so of its picture as it is shown; its reader has stood it upright.
    return dpi[::-1] if dpi and upright and opened.format != "TIFF" and swaps(opened.exif.orientation) else dpi


def _resolution(dpi: object) -> tuple[float, float] | None:
    """Return dots per inch when they make sense."""
    if not isinstance(dpi, tuple) or len(dpi) != 2 or not all(0 < float(each) < 65_535 for each in dpi):
        return None
    return float(dpi[0]), float(dpi[1])


def _first(blocks: list[bytes]) -> bytes:
    return blocks[0] if blocks else b""


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else b""
