"""One file of the corpus: what became of it, and whether libvips sees in the result what it sees in the source."""

import hashlib
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyvips
from countermark import engine
from countermark.engine import cell
from countermark.engine.metadata.leaks import find_leaks
from numpy.typing import NDArray

from tests.engine.profiles import shown

OPTIONS = {
    "tasks": [{"task": "watermark", "text": "countermark", "position": "center", "size": 0.3}],
    "metadata": "keep",
}
#: The outcome of a file whose cell was lost: it crashed, or raised what is not typed.
LOST = "lost"
#: Part of each side that is looked at, far from the mark.
EDGE = 0.12
#: Levels by which the mean of the edges may change where the format loses something, and where it does not.
LOSSY, LOSSLESS = 10.0, 1.5
_LONGEST_LOOKED_AT = 8_000_000  # bytes of a result that is searched for other pictures
_DEEP = {"ushort", "short", "float", "int", "uint", "double"}


@dataclass(kw_only=True)
class Verdict:
    """What became of a file. Each of `told` is a property that the source has, and whether the result has it too."""

    file: str
    format: str
    outcome: str  # "marked", the code of a typed error, or LOST
    words: str = ""
    leaks: int = 0
    seconds: float = 0.0  # until the result was there
    told: dict[str, bool] = field(default_factory=dict)
    differs: float = 0.0  # levels at the edges


@dataclass(frozen=True, kw_only=True)
class View:
    """A file as libvips reads it."""

    size: tuple[int, int]  # as seen
    pages: int
    deep: bool
    turned: bool
    profile: bytes
    animated_png: bool = False
    edges: NDArray[np.float64]  # mean colours of parts at the edges, over white


def check(path: Path, name: str) -> Verdict:
    """Mark a file in a cell and look at the result."""
    source = path.read_bytes()
    verdict = Verdict(file=name, format=engine.sniff(source[:64]) or "", outcome="marked")
    began = time.monotonic()
    try:
        edited = cell.process(source, engine.load_options(OPTIONS), scope="corpus", name=name)
    except engine.ImageError as error:
        verdict.outcome, verdict.words = error.code, str(error)
    except cell.CellError as error:
        verdict.outcome, verdict.words = LOST, f"{error} {error.__context__}"
    verdict.seconds = time.monotonic() - began
    if verdict.outcome == "marked":
        _compare(verdict, source, edited)
        if len(edited.data) <= _LONGEST_LOOKED_AT:
            verdict.leaks = len(find_leaks(edited.data))
    return verdict


def _compare(verdict: Verdict, source: bytes, edited: engine.Edited) -> None:
    after = view(edited.data)
    verdict.told["decodes"] = after is not None
    # The reader of BMP files knows what the engine writes, no palettes and no bit fields.
    before = view(source) if source[:2] != b"BM" or source[28] == 24 else None
    if after is None or before is None:
        return
    verdict.told["size"] = before.size == after.size == (edited.width, edited.height)
    if before.turned:
        verdict.told["orientation"] = before.size == after.size and not _differs(before, after, 3 * LOSSY)
    if before.pages > 1 and engine.FORMATS[edited.format].animated:
        verdict.told["frames"] = before.pages == after.pages == edited.frames
    if before.deep and edited.format in {"PNG", "TIFF"}:
        verdict.told["depth"] = after.deep
    if before.profile and edited.format not in {"GIF", "BMP"}:
        verdict.told["profile"] = bool(after.profile) and shown(before.profile) == shown(after.profile)
    verdict.differs = (
        float(np.abs(before.edges - after.edges).max()) if len(before.edges) == len(after.edges) else 255.0
    )
    lossy = edited.format in {"JPEG", "WebP", "AVIF", "GIF"}
    if before.animated_png:  # of which libvips shows the default image
        return
    verdict.told["pixels"] = verdict.differs < (LOSSY if lossy else LOSSLESS)


def _differs(before: View, after: View, most: float) -> bool:
    return bool(np.abs(before.edges - after.edges).max() > most)


def view(data: bytes) -> View | None:
    """Return what libvips sees in a file, or None when it cannot read it."""
    if data[:2] == b"BM":
        return _bitmap(data)
    try:
        image = pyvips.Image.new_from_buffer(data, "", fail_on="none")
        fields = set(image.get_fields())
        turned = "orientation" in fields and image.get("orientation") in range(2, 9)
        profile = image.get("icc-profile-data") if "icc-profile-data" in fields else b""
        image = image.autorot()
        shown = image.colourspace("srgb").cast("uchar")
        if shown.hasalpha():
            shown = shown.flatten(background=[255, 255, 255])
        if shown.bands == 1:
            shown = shown.bandjoin([shown, shown])
        pixels = shown.numpy().astype(float)[..., :3]
    except (pyvips.Error, UnicodeDecodeError):  # the latter for names of texts
        return None
    frames = int.from_bytes(data[(at := data.find(b"acTL")) + 4 : at + 8], "big") if b"acTL" in data else 0
    return View(
        size=(image.width, image.height),
        pages=frames or (image.get("n-pages") if "n-pages" in fields else 1),
        animated_png=frames > 0,
        deep=image.format in _DEEP,
        turned=turned,
        profile=profile,
        edges=_edges(pixels),
    )


def _bitmap(data: bytes) -> View | None:
    """Read a BMP file of 24 bits or 8 greys without compression, as the engine writes them; libvips reads none."""
    at, _, width, height, _, bits, packing = struct.unpack_from("<IIiiHHI", data, 10)
    if bits not in {8, 24} or packing:
        return None
    size = width * bits // 8
    stride = (size + 3) // 4 * 4
    if len(data) < at + stride * abs(height):
        return None
    rows = np.frombuffer(data, np.uint8, stride * abs(height), at).reshape(abs(height), stride)
    pixels = rows[:: -1 if height > 0 else 1, :size].reshape(abs(height), width, bits // 8)[..., ::-1].astype(float)
    if bits == 8:
        pixels = np.repeat(pixels, 3, axis=2)
    return View(size=(width, abs(height)), pages=1, deep=False, turned=False, profile=b"", edges=_edges(pixels))


def _edges(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = (max(round(EDGE * side), 1) for side in pixels.shape[:2])
    parts = (pixels[:height, :width], pixels[:height, -width:], pixels[-height:, :width], pixels[-height:, -width:])
    return np.array([part.mean(axis=(0, 1)) for part in parts])


def fingerprint(path: Path) -> str:
    """Return what is the same for files with the same bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
