"""python -m bench.engine: the engine beside other ways of marking the same photographs, in one process and one run.

Every way sees every photograph in turn, round after round, so that what slows the machine slows all of them; the
median round counts. Times are processor time, on all cores together. Quote the ratios, not the times.
"""

import argparse
import os
import platform as machine
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from countermark import engine
from countermark.engine.dct import DONE, Component, kernel, why_missing
from PIL import Image

from bench.formats import other_formats
from bench.photographs import SIZES, photographs
from bench.ways import CORNER, TILED, Way, layer_file, measure, pyvips, stamp

RESULTS = Path(__file__).parent / "engine.md"
SAMPLING = ((2, 2), (1, 1), (1, 1))  # 4:2:0
NOTHING = [Component(stencils=[], places=[]) for _ in SAMPLING]


def entropy(source: bytes) -> None:
    """Decode to coefficients and encode again: the wall that no way of marking JPEG passes."""
    found = kernel()
    if found is None or found.mark_coefficients(source, SAMPLING, lambda _: NOTHING, 60)[0] != DONE:
        raise SystemExit(f"The limit cannot be measured. {why_missing()}")


def decode_encode(source: bytes) -> None:
    """Open and save with Pillow, nothing marked."""
    image = Image.open(BytesIO(source))
    image.save(BytesIO(), "JPEG", quality="keep")


def careful_pillow(options: engine.Options) -> Way:
    """Paste a prepared mark with its mask and keep the quality."""

    def mark(source: bytes) -> None:
        image = Image.open(BytesIO(source))
        image.load()
        sprite, spots = stamp(options, image.size)
        alpha, color = sprite.image.getchannel("A"), sprite.image.convert("RGB")
        for spot in spots:
            image.paste(color, spot, alpha)
        image.save(BytesIO(), "JPEG", quality="keep")

    return mark


def layers(options: engine.Options) -> Way:
    """Compose a whole transparent layer over a copy with alpha, and save in quality 100."""

    def mark(source: bytes) -> None:
        image = Image.open(BytesIO(source)).convert("RGBA")
        layer = Image.new("RGBA", image.size)
        sprite, spots = stamp(options, image.size)
        for spot in spots:
            layer.paste(sprite.image, spot)
        Image.alpha_composite(image, layer).convert("RGB").save(BytesIO(), "JPEG", quality=100)

    return mark


def vips(path: str) -> Way:
    """Compose with libvips, the layer kept in memory."""
    layer = pyvips.Image.new_from_file(path).copy_memory()

    def mark(source: bytes) -> None:
        image = pyvips.Image.new_from_buffer(source, "", access="sequential")
        image.composite2(layer, "over").flatten().jpegsave_buffer(Q=92, subsample_mode="on")

    return mark


def magick(path: str, program: str) -> Way:
    """Compose with ImageMagick, a process for each picture."""

    def mark(source: bytes) -> None:
        subprocess.run([program, "jpg:-", path, "-composite", "jpg:-"], input=source, check=True, capture_output=True)

    return mark


def find_magick() -> str | None:
    """Return ImageMagick's program when it is a real one."""
    for name in ("magick", "convert"):
        path = shutil.which(name)
        if path and b"ImageMagick" in subprocess.run([path, "-version"], capture_output=True, check=False).stdout:
            return path
    return None


def ways(size: tuple[int, int], folder: str) -> dict[str, Way]:
    """Return every way by its name."""
    found: dict[str, Way] = {
        "limit: entropy decode + encode": entropy,
        "Countermark, tiled": lambda source: engine.process(source, TILED),
        "Countermark, corner": lambda source: engine.process(source, CORNER),
        "careful Pillow, tiled": careful_pillow(TILED),
        "careful Pillow, corner": careful_pillow(CORNER),
        "Pillow decode + encode": decode_encode,
        "RGBA layers, quality 100, tiled": layers(TILED),
    }
    if pyvips:
        found["pyvips composite, tiled"] = vips(layer_file(TILED, size, folder))
    if program := find_magick():
        found["ImageMagick composite, tiled"] = magick(layer_file(TILED, size, folder), program)
    return found


def table(title: str, seconds: dict[str, float]) -> list[str]:
    """Return the lines of a table; the ratio says how many times faster Countermark's tiled mark is."""
    ours = seconds["Countermark, tiled"]
    lines = [f"| {title} | images a core second | ms | x Countermark tiled |", "|---|--:|--:|--:|"]
    lines += [f"| {name} | {1 / each:.1f} | {each * 1000:.1f} | {each / ours:.2f} |" for name, each in seconds.items()]
    return [*lines, ""]


def verdicts(seconds: dict[str, float]) -> list[str]:
    """Return the ratios that matter, with what is aimed at."""
    pairs = [
        ("tiled mark: times careful Pillow", "careful Pillow, tiled", "Countermark, tiled", "at least 3"),
        ("tiled mark: times RGBA layers", "RGBA layers, quality 100, tiled", "Countermark, tiled", "at least 4"),
        ("corner mark: times careful Pillow", "careful Pillow, corner", "Countermark, corner", "at least 2.5"),
        ("tiled mark: of the limit's time", "Countermark, tiled", "limit: entropy decode + encode", "at most 1.3"),
        ("corner mark: of the limit's time", "Countermark, corner", "limit: entropy decode + encode", "at most 1.3"),
    ]
    return [f"- {name}: {seconds[one] / seconds[other]:.2f} ({aim})" for name, one, other, aim in pairs]


def threads(sources: list[bytes], rounds: int) -> str:
    """Return how much more two threads do than one."""
    ratios = []
    for _ in range(rounds):
        seconds = []
        for count in (1, 2):
            with ThreadPoolExecutor(count) as pool:
                began = time.perf_counter()
                list(pool.map(lambda source: engine.process(source, TILED), sources * 2))
                seconds.append(time.perf_counter() - began)
        ratios.append(seconds[0] / seconds[1])
    return f"- two threads: {statistics.median(ratios):.2f} times one (at least 1.85, on two idle cores)"


MEMORY = """
import sys
from pathlib import Path
from countermark import engine
small, large, fields = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]).read_bytes(), eval(sys.argv[3])
options = engine.parse_options(fields)
status = lambda name: int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0]) * 1024
engine.process(small, options)
engine.process(large, options)  # the marks of both sizes are prepared
idle = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
engine.process(large, options)
print(status("VmHWM") - idle)
"""


def memory(small: bytes, large: bytes, size: tuple[int, int], folder: str) -> list[str]:
    """Return what one large picture takes above the idle process, as a share of its pixels."""
    paths = [Path(folder) / "small.jpg", Path(folder) / "large.jpg"]
    for path, data in zip(paths, (small, large), strict=True):
        path.write_bytes(data)
    lines = []
    for name, fields in (("coefficients", {}), ("pixels", {"quality": "92"})):
        command = [sys.executable, "-c", MEMORY, *map(str, paths), repr(fields)]
        # What is freed goes back at once, so that the idle process holds nothing of the pictures before.
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        taken = int(done.stdout)
        share = taken / (size[0] * size[1] * 3)
        lines.append(f"- peak memory above idle, marked on {name}: {share:.2f} of the decoded picture (at most 1.5)")
    return lines


def main() -> None:
    """Measure, print, and keep the results beside this file."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=6, help="photographs of each size")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts")
    arguments = parser.parse_args()
    python = f"Python {machine.python_version()}, one process, {arguments.count} photographs of each size"
    lines = [f"{os.cpu_count()} cores, {machine.machine()}, {python}, median of {arguments.rounds} rounds"]
    missing = [name for name, there in (("pyvips", pyvips), ("ImageMagick", find_magick())) if not there]
    lines += [f"Not installed here, so not measured: {', '.join(missing)}." if missing else "", ""]
    files = {name: photographs(size, arguments.count) for name, size in SIZES.items()}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            seconds = measure(ways(size, folder), files[name], arguments.rounds)
            lines += [*table(name, seconds), *verdicts(seconds), ""]
        lines += other_formats(files, arguments.rounds, folder)
        lines += [
            threads(files["2 MP"], arguments.rounds),
            *memory(files["2 MP"][0], files["12 MP"][0], SIZES["12 MP"], folder),
        ]
    print("\n".join(lines))
    RESULTS.write_text("# The engine, measured\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
