"""The two ways of the kernel agree: what is copied as bits is what libjpeg would have encoded."""

from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from countermark.engine import dct, lossless
from countermark.engine.decode import open_image
from PIL import Image


def both(source: bytes, fields: dict[str, str]) -> list[np.ndarray]:
    """Return the pixels of a file marked in its scan and in its coefficients."""
    opened = open_image(source, engine.Limits())
    sampling = lossless._sampling(opened.image)
    output = engine.Output(format="JPEG", quality="keep", metadata="keep")
    picture = engine.Picture(name="", number=1, frames=1, taken=None, profile=None, output=output)
    components = lossless._components(engine.parse_options(fields).tasks, opened.image.size, 1, sampling, picture)
    kernel = dct.kernel()
    found = []
    for way in (kernel.mark_scan, kernel.mark_coefficients):
        result, data = way(source, components, 60)
        assert result == dct.DONE
        found.append(np.asarray(Image.open(BytesIO(data))))
    return found


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [15, 75, 92, 100])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (62, 34), (211, 97), (640, 427)])
def test_both_ways_give_the_same_pixels(photograph, subsampling, quality, size):
    image = Image.open(BytesIO(photograph("dogs"))).resize(size)
    pixels = np.asarray(image, dtype=np.int16) + np.random.default_rng(1).integers(-40, 40, (size[1], size[0], 3))
    buffer = BytesIO()
    noisy = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    noisy.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    for fields in ({}, {"position": "bottom-right", "color": "red"}, {"tiling": "diagonal", "size": "0.2"}):
        in_scan, in_coefficients = both(buffer.getvalue(), fields)
        assert (in_scan == in_coefficients).all()
