"""Files from which libFuzzer sets out: JPEG of every kind that the kernel takes, each with a plan at its end.

python -m tests.fuzz.kernel_seeds FOLDER
"""

import itertools
import random
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image

PLAN = 48  # bytes at an input's end: kernel.c
#: Numbers in kernel.c of the sampling factors that Pillow writes as 4:4:4, 4:2:2 and 4:2:0.
FACTORS = (0, 1, 3)
SAMPLES = Path(__file__).parent.parent


def write(folder: Path) -> int:
    """Write the files; return how many."""
    dice = random.Random(1)
    photograph = Image.open(SAMPLES / "photographs" / "brushes.jpg")
    kinds = itertools.product(["L", "RGB"], [0, 1, 2], [False, True], [0, 3], [30, 95], [(8, 8), (33, 47)])
    count = 0
    for mode, sampling, progressive, restart, quality, size in kinds:
        buffer = BytesIO()
        photograph.resize(size).convert(mode).save(
            buffer,
            "JPEG",
            subsampling=sampling,
            progressive=progressive,
            quality=quality,
            restart_marker_blocks=restart,
            optimize=bool(dice.randrange(2)),
        )
        kind = (mode == "RGB") | FACTORS[sampling] << 1
        # Few places near the first block, so that marks are often within the picture.
        plan = bytes([kind, dice.randrange(4), dice.randrange(6), dice.randrange(256)])
        plan += bytes(dice.randrange(4) for _ in range(PLAN - len(plan)))
        (folder / f"{count:03}.jpg").write_bytes(buffer.getvalue() + plan)
        count += 1
    for sample in sorted((SAMPLES / "engine" / "samples").glob("*.jpg")):
        for kind in range(12):
            (folder / f"{sample.stem} {kind}.jpg").write_bytes(sample.read_bytes() + bytes([kind]) + bytes([1] * 47))
            count += 1
    return count


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    print(write(target), "files")
