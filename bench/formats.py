"""The formats that take longer, each marked by the engine and by others, with the size of what comes out."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from countermark import engine
from PIL import Image, ImageSequence

from bench.ways import CORNER, TILED, layer_file, measure, pyvips, stamp

FRAMES = 12
FRAME = (640, 480)
DURATION = 80
"""Milliseconds that a frame is shown."""
HEADS = ("Countermark", "Pillow", "pyvips", "decode + encode")

# What others are told: of several settings those with which they are fastest at about the size of Countermark's file.
Settings = Mapping[str, Any]
WEBP = {"quality": 85}
PILLOW: Mapping[str, tuple[str, Settings]] = {
    "PNG, 12 MP": ("PNG", {"compress_level": 3}),
    "PNG with a palette, 2 MP": ("PNG", {"compress_level": 3}),
    "TIFF without compression, 12 MP": ("TIFF", {}),
    "WebP, 2 MP": ("WebP", WEBP),
    f"GIF, {FRAMES} frames": ("GIF", {}),
    f"WebP, {FRAMES} frames": ("WebP", WEBP),
}
VIPS: Mapping[str, tuple[str, Settings]] = {
    "PNG, 12 MP": ("pngsave_buffer", {"compression": 3, "filter": "all"}),
    "PNG with a palette, 2 MP": ("pngsave_buffer", {"compression": 3}),
    "TIFF without compression, 12 MP": ("tiffsave_buffer", {}),
    "WebP, 2 MP": ("webpsave_buffer", {"Q": 85}),
    f"GIF, {FRAMES} frames": ("gifsave_buffer", {}),
    f"WebP, {FRAMES} frames": ("webpsave_buffer", {"Q": 85}),
}


def other_formats(photographs: Mapping[str, list[bytes]], rounds: int, folder: str) -> list[str]:
    """Return the tables of progressive JPEG beside baseline, and of the formats without coefficients to work on."""
    return [*_progressive(photographs["12 MP"], rounds), *_beside_others(photographs, rounds, folder)]


def _progressive(sources: list[bytes], rounds: int) -> list[str]:
    lines = ["| JPEG, 12 MP | baseline ms | progressive ms | ratio | bytes of source |", "|---|--:|--:|--:|--:|"]
    kept: Settings = {"quality": "keep", "progressive": True}
    progressive = {each: _saved([Image.open(BytesIO(each))], "JPEG", kept) for each in sources[:2]}
    for name, options in (("tiled", TILED), ("corner", CORNER)):
        way = _engine(options)
        both = measure({"one": way, "other": lambda each, way=way: way(progressive[each])}, list(progressive), rounds)
        size = sum(len(way(each)) for each in progressive.values()) / sum(map(len, progressive.values()))
        plain, scans = both["one"] * 1e3, both["other"] * 1e3
        lines.append(f"| {name} | {plain:.1f} | {scans:.1f} | {scans / plain:.1f} | {size:.1%} |")
    return [*lines, ""]


def _beside_others(photographs: Mapping[str, list[bytes]], rounds: int, folder: str) -> list[str]:
    lines = [
        f"| tiled: ms, bytes in thousands | {' | '.join(HEADS)} | x fastest of the others |",
        "|---|" + "--:|" * (len(HEADS) + 1),
    ]
    for name, files in _files(photographs).items():
        ways = _ways(name, Image.open(BytesIO(files[0])).size, folder)
        seconds = measure(ways, files, rounds)
        sizes = {each: sum(len(way(data)) for data in files) / len(files) for each, way in ways.items()}
        cells = [f"{seconds[head] * 1e3:.0f}, {sizes[head] / 1e3:,.0f}" if head in ways else "" for head in HEADS]
        best = min(seconds[head] for head in HEADS[1:3] if head in ways)
        lines.append(f"| {name} | {' | '.join(cells)} | {seconds[HEADS[0]] / best:.2f} |")
    return [*lines, ""]


def _files(photographs: Mapping[str, list[bytes]]) -> dict[str, list[bytes]]:
    """Return what is marked, two files of each kind but for animations."""
    large, small = ([Image.open(BytesIO(data)) for data in photographs[size][:2]] for size in ("12 MP", "2 MP"))
    moving = [small[0].crop((10 * at, 5 * at, 10 * at + FRAME[0], 5 * at + FRAME[1])) for at in range(FRAMES)]
    found = [
        *([_saved([each], "PNG", {}) for each in images] for images in (large, [each.quantize() for each in small])),
        [_saved([each], "TIFF", {}) for each in large],
        [_saved([each], "WebP", WEBP) for each in small],
        *([_saved(moving, form, settings)] for form, settings in (("GIF", {}), ("WebP", WEBP))),
    ]
    return dict(zip(PILLOW, found, strict=True))


def _saved(frames: list[Image.Image], form: str, settings: Settings) -> bytes:
    buffer = BytesIO()
    animated = {"save_all": True, "append_images": frames[1:], "duration": DURATION} if len(frames) > 1 else {}
    frames[0].save(buffer, form, **animated, **settings)
    return buffer.getvalue()


def _ways(name: str, size: tuple[int, int], folder: str) -> dict[str, Callable[[bytes], bytes]]:
    ways = {"Countermark": _engine(TILED), "Pillow": _pillow(name, marked=True)}
    if pyvips:
        ways["pyvips"] = _vips(name, layer_file(TILED, size, folder))
    return ways | {"decode + encode": _pillow(name, marked=False)}


def _engine(options: engine.Options) -> Callable[[bytes], bytes]:
    return lambda source: engine.process(source, options).data


def _pillow(name: str, *, marked: bool) -> Callable[[bytes], bytes]:
    form, settings = PILLOW[name]

    def mark(source: bytes) -> bytes:
        frames = []
        for frame in ImageSequence.Iterator(Image.open(BytesIO(source))):
            image = frame.convert("RGB")
            if marked:
                sprite, spots = stamp(TILED, image.size)
                alpha, color = sprite.image.getchannel("A"), sprite.image.convert("RGB")
                for spot in spots:
                    image.paste(color, spot, alpha)
            frames.append(image)
        return _saved(frames, form, settings)

    return mark


def _vips(name: str, path: str) -> Callable[[bytes], bytes]:
    layer = pyvips.Image.new_from_file(path).copy_memory()
    saver, settings = VIPS[name]
    loading: Settings = {"n": -1} if "frames" in name else {}
    layers = layer.replicate(1, FRAMES) if "frames" in name else layer

    def mark(source: bytes) -> bytes:
        image = pyvips.Image.new_from_buffer(source, "", access="sequential", **loading)
        data: bytes = getattr(image.composite2(layers, "over").flatten(), saver)(**settings)
        return data

    return mark
