"""Measure what memory images take, each in a process of its own, beside what the engine says that they need.

python -m tests.engine.needs [WIDTH HEIGHT]
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from countermark import engine
from PIL import Image

from tests.engine import heic  # noqa: F401 - Pillow then writes it

PHOTOGRAPH = Path(__file__).parent.parent / "photographs" / "dogs.jpg"
KINDS: list[tuple[str, str, dict[str, object]]] = [
    ("JPEG", "RGB", {"quality": 85}),
    ("JPEG", "RGB", {"quality": 95, "subsampling": "4:4:4"}),
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "RGB", {"restart_marker_blocks": 8}),
    ("JPEG", "noise", {"quality": 95}),
    ("JPEG", "L", {}),
    ("JPEG", "CMYK", {}),
    ("PNG", "RGB", {"compress_level": 1}),
    ("PNG", "RGBA", {"compress_level": 1}),
    ("PNG", "noise", {"compress_level": 1}),
    ("PNG", "P", {"compress_level": 1}),
    ("PNG", "1", {"compress_level": 1}),
    ("PNG", "I;16", {"compress_level": 1}),
    ("WEBP", "RGB", {"method": 0}),
    ("WEBP", "RGBA", {"method": 0, "lossless": True}),
    ("AVIF", "RGB", {"speed": 10}),
    ("AVIF", "RGBA", {"speed": 10}),
    ("HEIF", "RGB", {"quality": 60}),
    ("TIFF", "RGB", {"compression": "raw"}),
    ("TIFF", "CMYK", {"compression": "tiff_lzw"}),
    ("TIFF", "F", {"compression": "raw"}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
    ("GIF", "P", {}),
    ("BMP", "RGB", {}),
]
TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
MULTIPLIED = '[{"task":"watermark","text":"a long text","blend":"multiply","color":"red"}]'
TASKS = [
    MULTIPLIED,
    *(
        json.dumps([{"task": "watermark", "size": size, "rotation": 45, **mark}])
        for size in (0.25, 0.5, 1, 2)
        for mark in ({"text": "\n".join(["W" * 20] * 9)}, {"text": "©", "position": "center", "blend": "multiply"})
    ),
    '[{"task":"resize","width":800},{"task":"watermark"}]',
    '[{"task":"watermark"},{"task":"grayscale"}]',
]


def made(form: str, mode: str, size: tuple[int, int], settings: dict[str, object]) -> bytes:
    """Return a photograph as a file."""
    image = Image.open(PHOTOGRAPH).resize(size, Image.Resampling.BILINEAR)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(size))
    elif mode == "noise":
        image = Image.merge("RGB", [Image.effect_noise(size, 100) for _ in range(3)])
    elif mode == "I;16":
        image = image.convert("L").convert("I;16")
    else:
        image = image.convert(mode)
    buffer = BytesIO()
    image.save(buffer, form, **settings, **({"exif": TURNED} if form == "JPEG" and mode == "CMYK" else {}))
    return buffer.getvalue()


def moving(form: str, size: tuple[int, int], count: int) -> bytes:
    """Return an animation as a file."""
    whole = Image.open(PHOTOGRAPH).resize((size[0] + count * 4, size[1]))
    frames = [whole.crop((4 * each, 0, 4 * each + size[0], size[1])) for each in range(count)]
    buffer = BytesIO()
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:], duration=50)
    return buffer.getvalue()


def status(name: str, process: int | str = "self") -> int:
    """Return a figure of a process in bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) * 1024


def apart(act: Callable[[], str]) -> str:
    """Return what a function returns in a process of its own, which leaves no memory behind in this one."""
    reads, writes = os.pipe()
    if not os.fork():
        os.write(writes, act().encode())
        os._exit(0)
    os.close(writes)
    said = b""
    while piece := os.read(reads, 1000):
        said += piece
    os.close(reads)
    os.wait()
    return said.decode()


def measured(path: Path, options: engine.Options) -> tuple[int, int, str]:
    """Return what the engine asked for, what was taken at the most, and how it ended."""

    def act() -> str:
        source, needs = path.read_bytes(), [0]
        Path("/proc/self/clear_refs").write_text("5")
        before = status("VmRSS")
        try:
            ended = engine.process(source, options, admit=needs.append).format
        except engine.ImageError as error:
            ended = error.code
        return f"{max(needs)} {status('VmHWM') - before} {ended}"

    need, peak, ended = apart(act).split()
    return int(need), int(peak), ended


def written(path: Path, make: Callable[[], bytes]) -> Path:
    """Return the path of a file that was made in a process of its own."""
    apart(lambda: str(path.write_bytes(make())))
    return path


def cases(size: tuple[int, int], path: Path) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """Yield a name, a file, and options."""
    for form, mode, settings in KINDS:
        source = written(path, partial(made, form, mode, size, settings))
        name = f"{form} {mode} " + " ".join(f"{key}={value}" for key, value in settings.items())
        for wanted in ("keep", "JPEG", "PNG", "WebP", "AVIF", "TIFF", "GIF", "BMP"):
            yield f"{name} as {wanted}", source, {"format": wanted}
        for tasks in TASKS:
            yield f"{name} {tasks}", source, {"tasks": tasks}
    small = (size[0] // 4, size[1] // 4)
    for form in ("GIF", "WEBP", "PNG", "AVIF", "TIFF"):
        source = written(path, partial(moving, form, small, 24))
        for wanted in ("keep", "WebP", "GIF", "PNG", "AVIF", "TIFF"):
            yield f"{form} of 24 frames as {wanted}", source, {"format": wanted}


def main() -> None:
    """Print a line for each case."""
    size = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (3000, 2000)
    for form in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):  # what is loaded once counts for none
        engine.process(made(form, "RGB", (300, 200), {}), engine.Options(format="keep"))
    with TemporaryDirectory() as folder:
        for name, source, fields in cases(size, Path(folder) / "image"):
            need, peak, ended = measured(source, engine.parse_options(fields))
            print(
                f"{need / max(peak, 1):6.2f} {need / 1e6:7.0f} MB {peak / 1e6:7.0f} MB  {ended:10} {name}", flush=True
            )


if __name__ == "__main__":
    main()
