"""The ways of the kernel agree: what it copies as bits or encodes itself is what libjpeg would have encoded."""

from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from countermark.engine import dct, lossless
from countermark.engine.decode import open_image
from PIL import Image, ImageFile

BASELINE, PROGRESSIVE = ["mark_scan", "mark_coefficients"], ["mark_scans", "mark_coefficients"]
MARKS = ({}, {"position": "bottom-right", "color": "red"}, {"tiling": "diagonal", "size": "0.2"})
NOT_FOR_US, DAMAGED = 1, 2


def jpeg(image: Image.Image, **settings: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", **settings)
    return buffer.getvalue()


def scans(data: bytes) -> list[bytes]:
    """Return the headers of a file's scans."""
    found, at = [], data.find(b"\xff\xda")
    while at >= 0:
        found.append(data[at + 4 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")])
        at = data.find(b"\xff\xda", at + 2)
    return found


def marked(source: bytes, fields: dict[str, str], ways: list[str]) -> list[bytes]:
    """Return a file marked by each of these ways of the kernel."""
    image = open_image(source, engine.Limits()).image
    sampling = lossless._sampling(image)
    output = engine.Output(format="JPEG", quality="keep", metadata="keep")
    picture = engine.Picture(name="", number=1, frames=1, taken=None, profile=None, output=output)
    components = lossless._components(engine.parse_options(fields).tasks, image.size, 1, sampling, picture)
    kernel = dct.kernel()
    found = []
    for way in ways:
        result, data = getattr(kernel, way)(source, components, 60)
        assert result == dct.DONE, way
        found.append(data)
    return found


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [15, 75, 92, 100])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (62, 34), (211, 97), (640, 427)])
def test_every_way_gives_the_same_pixels(photograph, monkeypatch, subsampling, quality, size):
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 2**22)  # Pillow's room for an optimised file is too small for noise
    image = Image.open(BytesIO(photograph("dogs"))).resize(size)
    pixels = np.asarray(image, dtype=np.int16) + np.random.default_rng(1).integers(-40, 40, (size[1], size[0], 3))
    noisy = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    for fields in MARKS:
        for settings, ways in (({}, BASELINE), ({"progressive": True}, PROGRESSIVE)):
            source = jpeg(noisy, quality=quality, subsampling=subsampling, **settings)
            first, *others = (opened(data) for data in marked(source, fields, ways))
            assert all((first == other).all() for other in others)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_file_without_a_mark_keeps_its_coefficients_scans_and_size(photograph, mode):
    image = Image.open(BytesIO(photograph("meadow"))).convert(mode)
    source = jpeg(image, quality=93, progressive=True)
    sampling = [(1, 1)] if mode == "L" else [(2, 2), (1, 1), (1, 1)]
    nothing = [dct.Component(sampling=each, stencils=[], places=[]) for each in sampling]
    result, data = dct.kernel().mark_scans(source, nothing, 60)
    assert result == dct.DONE
    assert scans(data) == scans(source)
    assert (opened(data) == opened(source)).all()
    assert len(data) <= len(source)


@pytest.mark.parametrize("fields", [{}, {"position": "bottom-right", "size": "0.2"}])
def test_a_marked_file_is_not_larger_than_libjpeg_makes_it(photograph, fields):
    source = jpeg(Image.open(BytesIO(photograph("dogs"))), quality=90, progressive=True)
    data, best = marked(source, fields, ["mark_scans", "mark_coefficients"])
    assert scans(data) == scans(source)
    assert len(data) <= len(best)


def test_a_damaged_progressive_file_is_marked_or_given_back(photograph):
    source = jpeg(Image.open(BytesIO(photograph("fig"))).resize((160, 120)), quality=80, progressive=True)
    noise = np.random.default_rng(1)
    nothing = [dct.Component(sampling=each, stencils=[], places=[]) for each in ((2, 2), (1, 1), (1, 1))]
    results = set()
    for at in range(2, len(source), 3):
        for damaged in (source[:at], source[:at] + noise.bytes(2) + source[at + 2 :]):
            result, data = dct.kernel().mark_scans(damaged, nothing, 60)
            results.add(result)
            if result == dct.DONE:
                Image.open(BytesIO(data)).load()
    assert {dct.DONE, DAMAGED, NOT_FOR_US} <= results


def test_restart_markers_and_incomplete_scans_are_left_to_libjpeg(photograph):
    image = Image.open(BytesIO(photograph("fig"))).resize((160, 120))
    whole = jpeg(image, progressive=True)
    last = whole.rindex(b"\xff\xda")
    nothing = [dct.Component(sampling=each, stencils=[], places=[]) for each in ((2, 2), (1, 1), (1, 1))]
    for source in (jpeg(image, progressive=True, restart_marker_blocks=4), whole[:last] + b"\xff\xd9"):
        assert dct.kernel().mark_scans(source, nothing, 60)[0] == NOT_FOR_US
        assert dct.kernel().mark(source, nothing, 60)[0] == dct.DONE
