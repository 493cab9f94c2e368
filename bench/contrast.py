"""python -m bench.contrast [FOLDER ...]: how well the default mark is told from its ground on photographs.

Each photograph is marked as it is delivered, and looked at part by part, in squares along the marks: the light of the
ground before, of the mark's letters and of their outline after. The contrast of a part is that of letters or outline
with the ground, whichever is higher, as WCAG counts it: 3:1 is what it asks of large letters. A photograph has the
contrast that 19 of 20 of its parts exceed.
"""

import argparse
import statistics
from io import BytesIO
from pathlib import Path

import numpy as np
from countermark import engine
from countermark.engine.ground import Ground, luminance
from numpy.typing import NDArray
from PIL import Image

from bench.photographs import SOURCES

RESULTS = Path(__file__).with_suffix(".md")
ENOUGH = 3.0
LONGEST = 1600  # pixels of the longer side that a photograph is looked at in
PART = 24  # pixels of the side of a part
FEWEST = 6  # pixels of letters and of outline that a part needs to be judged
SOLID, PURE = 0.95, 0.9  # of opacity and colour that a pixel of letters or outline alone has

Light = NDArray[np.float64]


def jpeg(path: Path) -> bytes:
    """Return a photograph as a JPEG file of quality 92."""
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    out = BytesIO()
    small.save(out, "JPEG", quality=92)
    return out.getvalue()


def light(data: bytes) -> Light:
    """Return the relative luminance of a picture's pixels."""
    pixels = luminance(np.asarray(Image.open(BytesIO(data)).convert("RGB")) / 255)
    result: Light = pixels @ np.array([0.2126, 0.7152, 0.0722])
    return result


def contrasts(source: bytes) -> list[float]:
    """Return the contrast of each part of a photograph that the default mark touches."""
    options = engine.Options()
    before, after = light(source), light(engine.process(source, options).data)
    image = Image.open(BytesIO(source))
    output = engine.Output(format="JPEG", quality="keep", metadata="keep")
    picture = engine.Picture(name="", number=1, frames=1, taken=None, profile=None, output=output)
    found = []
    for sprite, spots in options.tasks[0].stamps(image.size, picture, lambda: Ground.of(image)):
        pixels = np.asarray(sprite.image)
        solid = pixels[..., 3] >= SOLID * options.tasks[0].opacity * 255
        bright, dark = pixels[..., 0] >= 255 * PURE, pixels[..., 0] <= 255 * (1 - PURE)
        for x, y in spots:
            there = np.s_[y : y + sprite.size[1], x : x + sprite.size[0]]
            found += parts(before[there], after[there], solid & bright, solid & dark)
    return found


def parts(before: Light, after: Light, bright: NDArray[np.bool_], dark: NDArray[np.bool_]) -> list[float]:
    """Return the contrast of each part of one copy of a mark."""
    found = []
    for top in range(0, before.shape[0], PART):
        for left in range(0, before.shape[1], PART):
            part = np.s_[top : top + PART, left : left + PART]
            one, other = bright[part], dark[part]
            if min(one.sum(), other.sum()) >= FEWEST:
                found.append(max(ratio(after[part][mask].mean(), before[part][mask].mean()) for mask in (one, other)))
    return found


def ratio(one: float, other: float) -> float:
    """Return the contrast of two lights."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def main() -> None:
    """Measure, print, and keep the results beside this file."""
    parser = argparse.ArgumentParser(prog="python -m bench.contrast", description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="folders of photographs; without any the project's own")
    parser.add_argument("--origin", default="the project's own", help="where they come from, for the report")
    arguments = parser.parse_args()
    folders = [sorted(folder.rglob("*")) for folder in arguments.folders]
    files = [path for folder in folders for path in folder if path.suffix in {".jpg", ".png"}]
    lines, reached = ["| photograph | 19 of 20 parts exceed | median |", "|---|--:|--:|"], []
    for path in files or SOURCES:
        found = contrasts(jpeg(path))
        reached.append(float(np.quantile(found, 0.05)))
        lines.append(f"| {path.stem.replace('_', ' ')} | {reached[-1]:.2f} | {statistics.median(found):.1f} |")
        print(lines[-1], flush=True)
    good = sum(each >= ENOUGH for each in reached)
    summary = (
        f"{good} of {len(reached)} photographs ({good / len(reached):.0%}) have a contrast of at least {ENOUGH:g}:1."
    )
    print(summary)
    head = ["# The contrast of the default mark", "", summary, f"They are {arguments.origin}.", ""]
    RESULTS.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
