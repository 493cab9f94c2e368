"""What every way of marking is measured with: the same mark, the same clock."""

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from countermark import engine
from countermark.engine.ground import Ground
from countermark.engine.tasks.watermark import Stamp
from PIL import Image

try:
    import pyvips
except (ImportError, OSError):
    pyvips = None

TILED = engine.Options()
CORNER = engine.parse_options({"position": "bottom-right", "size": "0.2"})
Way = Callable[[bytes], object]


def stamp(options: engine.Options, size: tuple[int, int]) -> Stamp:
    """Return the engine's own mark for a dark picture, so that every way paints the same."""
    output = engine.Output(format="JPEG", quality="keep", metadata="keep")
    picture = engine.Picture(name="", number=1, frames=1, taken=None, profile=None, output=output)
    ground = Ground(np.zeros((1, 1), np.uint8), size)
    return options.tasks[0].stamps(size, picture, lambda: ground)[0]


def layer_file(options: engine.Options, size: tuple[int, int], folder: str) -> str:
    """Return a PNG of the whole layer, as tools that know no tiling need it."""
    layer = Image.new("RGBA", size)
    sprite, spots = stamp(options, size)
    for spot in spots:
        layer.paste(sprite.image, spot)
    path = Path(folder) / f"{size[0]}-{options.tasks[0].position}.png"
    layer.save(path)
    return str(path)


def cpu_seconds() -> float:
    """Return the processor time of this process and its children: other programs do not count as waiting does."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure(found: dict[str, Way], sources: list[bytes], rounds: int) -> dict[str, float]:
    """Return the processor seconds an image of each way: the median of the rounds."""
    spent: dict[str, list[float]] = {name: [0.0] * rounds for name in found}
    for way in found.values():
        way(sources[0])  # marks are prepared, libraries loaded
    for number in range(rounds):
        for source in sources:
            for name, way in found.items():
                began = cpu_seconds()
                way(source)
                spent[name][number] += (cpu_seconds() - began) / len(sources)
    return {name: statistics.median(seconds) for name, seconds in spent.items()}
