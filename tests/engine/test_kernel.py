"""The ways of the kernel agree: what it copies as bits or encodes itself is what libjpeg would have encoded."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from countermark import engine
from countermark.engine import dct, lossless
from countermark.engine.decode import open_image
from countermark.engine.stencil import Stencil
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

SAMPLES = sorted((Path(__file__).parent / "samples").glob("* scans.jpg"))
BASELINE, PROGRESSIVE = ["mark_scan", "mark_coefficients"], ["mark_scans", "mark_coefficients"]
MARKS = ({}, {"position": "bottom-right", "color": "red"}, {"tiling": "diagonal", "size": "0.2"})
NOT_FOR_US, DAMAGED = 1, 2
FULL = ((2, 2), (1, 1), (1, 1))  # 4:2:0


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
    """Return a file marked by each of these ways of the kernel.

    What has something beyond its edges is not for `mark_scans`.
    """
    image = open_image(source, engine.Limits()).image
    sampling = lossless._sampling(image)
    output = engine.Output(format="JPEG", quality="keep", metadata="keep")
    picture = engine.Picture(name="", number=1, frames=1, taken=None, profile=None, output=output)
    plan = lossless._Plan(engine.parse_options(fields).tasks, image.size, 1, sampling, picture)
    kernel = dct.kernel()
    found = []
    for way in ways:
        outcome = getattr(kernel, way)(source, sampling, plan.decide, 60)
        if way == "mark_scans" and outcome.result == NOT_FOR_US:
            assert image.width % 16 or image.height % 16
            continue
        assert outcome.result == dct.DONE, way
        found.append(outcome.data)
    return found


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [15, 75, 92, 100])
@pytest.mark.parametrize("size", [(12, 9), (16, 16), (62, 34), (211, 97), (640, 427)])
def test_every_way_gives_the_same_pixels(photograph, monkeypatch, subsampling, quality, size):
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 2**22)  # Pillow's room for an optimised file is too small for noise
    image = Image.open(BytesIO(photograph("dogs"))).resize(size)
    pixels = np.asarray(image, dtype=np.int16) + np.random.default_rng(1).integers(-40, 40, (size[1], size[0], 3))
    noisy = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    for fields in MARKS:
        for saved, ways in (({}, BASELINE), ({"progressive": True}, PROGRESSIVE)):
            source = jpeg(noisy, quality=quality, subsampling=subsampling, **saved)
            first, *others = (opened(data) for data in marked(source, fields, ways))
            assert all((first == other).all() for other in others)


@pytest.mark.parametrize("size", [(641, 427), (1003, 669)])
def test_a_progressive_photograph_is_marked_in_its_scans(photograph, size):
    """Beyond its edges an encoder repeats what is there: nothing for anybody to find."""
    for name in ("dogs", "meadow", "fig"):
        source = jpeg(Image.open(BytesIO(photograph(name))).resize(size), quality=90, progressive=True)
        assert len(marked(source, {"text": "A"}, ["mark_scans"])) == 1


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_file_without_a_mark_keeps_its_coefficients_scans_and_size(photograph, mode):
    image = Image.open(BytesIO(photograph("meadow"))).convert(mode)
    source = jpeg(image, quality=93, progressive=True)
    sampling = [(1, 1)] if mode == "L" else [(2, 2), (1, 1), (1, 1)]
    result, data, _ = dct.kernel().mark_scans(source, sampling, nothing(len(sampling)), 60)
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


def nothing(count: int) -> dct.Decide:
    """Return what decides to leave a file of so many components as it is."""
    return lambda _: [dct.Component(stencils=[], places=[])] * count


def smudges(draw: st.DrawFn, sampling: list[tuple[int, int]], size: tuple[int, int]) -> list[dct.Component]:
    """Draw marks that darken or cover blocks: a few of each component, at any place or beyond the picture."""
    components = []
    for _ in sampling:
        across = draw(st.integers(1, 5))
        stencil = Stencil(
            starts=np.array([0, across, across, across + 1], np.int32),  # its second row has no blocks
            columns=np.array([*range(across), 0], np.int32),
            keep=np.full((across + 1, 64), draw(st.sampled_from([0, 40_000])), np.uint16),
            add=np.full((across + 1, 64), draw(st.integers(-9000, 9000)), np.int16),
            levels=4,
            most_kept=60_000,
        )
        x, y = (st.integers(-2, length // 8 + 1) for length in size)
        places = [(0, *place) for place in draw(st.lists(st.tuples(x, y), max_size=3))]
        components.append(dct.Component(stencils=[stencil], places=places))
    return components


@st.composite
def progressive_files(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]], list[dct.Component]]:
    """Draw a progressive file, mostly higher than wide, with plain parts and noisy ones, and marks on it."""
    source = draw(st.sampled_from([*(path.read_bytes() for path in SAMPLES), None]))
    if source is None:
        size = draw(st.tuples(st.integers(1, 90), st.integers(1, 500)))
        noise = np.random.default_rng(draw(st.integers(0, 99)))
        pixels = np.repeat(np.linspace(30, 220, size[1], dtype=np.int16)[:, None, None], size[0], axis=1)
        pixels = pixels + noise.normal(0, 1, (size[1], size[0], 3)) * draw(st.sampled_from([0, 2, 40]))
        pixels[draw(st.integers(0, size[1])) :] = draw(st.integers(0, 255))
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(draw(st.sampled_from(["L", "RGB"])))
        fields = {"subsampling": draw(st.sampled_from([0, 1, 2]))} if image.mode == "RGB" else {}
        source = jpeg(image, progressive=True, quality=draw(st.sampled_from([20, 75, 95])), **fields)
    image = Image.open(BytesIO(source))
    sampling = [(across, down) for _, across, down, _ in image.layer]
    return source, sampling, smudges(draw, sampling, image.size)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(progressive_files())
def test_scans_that_are_copied_around_a_mark_are_as_if_they_were_encoded(drawn):
    source, sampling, components = drawn
    kernel = dct.kernel()
    (result, data, shown), (_, best, others) = (
        way(source, sampling, lambda _: components, 60) for way in (kernel.mark_scans, kernel.mark_coefficients)
    )
    assume(result != NOT_FOR_US or opened(source).shape[0] % 16 == opened(source).shape[1] % 16 == 0)
    assert shown == others
    assert result == dct.DONE
    assert scans(data) == scans(source)
    assert (opened(data) == opened(best)).all()


def test_a_damaged_progressive_file_is_marked_or_given_back(photograph):
    source = jpeg(Image.open(BytesIO(photograph("fig"))).resize((160, 112)), quality=80, progressive=True)
    noise = np.random.default_rng(1)
    results = set()
    for at in range(2, len(source), 3):
        for damaged in (source[:at], source[:at] + noise.bytes(2) + source[at + 2 :]):
            result, data, _ = dct.kernel().mark_scans(damaged, FULL, nothing(3), 60)
            results.add(result)
            if result == dct.DONE:
                Image.open(BytesIO(data)).load()
    assert {dct.DONE, DAMAGED, NOT_FOR_US} <= results


def test_restart_markers_and_incomplete_scans_are_left_to_libjpeg(photograph):
    image = Image.open(BytesIO(photograph("fig"))).resize((160, 120))
    whole = jpeg(image, progressive=True)
    last = whole.rindex(b"\xff\xda")
    for source in (jpeg(image, progressive=True, restart_marker_blocks=4), whole[:last] + b"\xff\xd9"):
        assert dct.kernel().mark_scans(source, FULL, nothing(3), 60)[0] == NOT_FOR_US
        assert dct.kernel().mark(source, FULL, nothing(3), 60)[0] == dct.DONE
