"""A TIFF file of samples of any kind comes out in the right pixels, or is refused by name: however they are stored."""

from itertools import product

import numpy as np
import pytest
from countermark import engine

from tests.engine.needs import measured, written
from tests.engine.tiffs import BLACK_IS_ZERO, CMYK, COMPRESSIONS, RGB, WHITE_IS_ZERO, by_vips, tiff

PLAIN = engine.load_options({"tasks": []})
SIZE = (37, 23)
WHITE = 65_535
KINDS = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
#: Kind, and what colours are: those that cannot be read.
REFUSED = {
    *product(["f2", "f8"], [BLACK_IS_ZERO, WHITE_IS_ZERO, RGB]),
    *product(["u4", "i1", "i2", "i4", "f4"], [RGB]),
}


def picture(kind: str, bands: int) -> np.ndarray:
    """Samples of all the values that a kind has, negative ones too; those of floating point lie between 0 and 1."""
    dice = np.random.default_rng(len(kind) + bands)
    if kind[0] == "f":
        return dice.random((*SIZE, bands)).astype(kind)
    limits = np.iinfo(kind)
    return dice.integers(limits.min, limits.max, (*SIZE, bands), dtype=kind, endpoint=True)


def stretched(samples: np.ndarray) -> np.ndarray:
    """Those of 8 and 16 bits as they are, others from the least to the greatest, or from 0 to 1."""
    if samples.dtype in {np.dtype("u1"), np.dtype("u2")}:
        return samples
    exact = samples.astype(np.float64)
    low, high = (0, 1) if samples.dtype.kind == "f" else (exact.min(), exact.max())
    return np.rint((exact - low) / (high - low) * WHITE).astype(np.uint16)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_those_of_the_file_or_refused_by_name(kind, order, compression):
    for photometric, separate, tile in product((BLACK_IS_ZERO, WHITE_IS_ZERO, RGB), (False, True), (0, 16)):
        samples = picture(kind, 3 if photometric == RGB else 1)
        source = tiff(samples, photometric, order=order, separate=separate, tile=tile, compression=compression)
        if (kind, photometric) in REFUSED:
            with pytest.raises(engine.UnsupportedFormat, match="samples of"):
                engine.process(source, PLAIN)
            continue
        edited = engine.process(source, PLAIN)
        expected = stretched(samples)
        if photometric == WHITE_IS_ZERO:
            expected = np.iinfo(expected.dtype).max - expected
        after = by_vips(edited.data)
        assert (after.dtype, after.shape) == (expected.dtype, expected.shape)
        assert np.abs(after.astype(int) - expected).max() <= 1, (photometric, separate, tile)
        assert edited.notes == (() if kind in {"u1", "u2"} else ("values_stretched",))


FILL_ORDER, SUBSAMPLING = 266, 530
COLOURS = [
    (BLACK_IS_ZERO, 2, (0,)), (BLACK_IS_ZERO, 2, (1,)), (BLACK_IS_ZERO, 2, (2,)), (RGB, 3, ()), (RGB, 4, (0,)),
    (RGB, 4, (1,)), (RGB, 4, (2,)), (RGB, 5, (2, 0)), (CMYK, 4, ()), (CMYK, 5, (0,)), (6, 3, ()), (8, 3, ()),
]  # fmt: skip


LAYOUTS = [("u1", "<", False, 0), ("u1", ">", False, 16), ("u2", "<", True, 16), ("u2", ">", False, 0)]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(("photometric", "bands", "extra"), COLOURS)
def test_colours_that_lie_apart_are_those_that_lie_together(photometric, bands, extra, compression):
    for kind, order, big, tile in LAYOUTS:
        samples = picture(kind, bands)
        if extra == (1,):  # colours are multiplied with alpha
            samples[..., :-1] = samples[..., :-1] * (samples[..., -1:] / np.iinfo(kind).max)
        tags = {SUBSAMPLING: [1, 1]} if photometric == 6 else {}
        layout = {"order": order, "big": big, "tile": tile, "compression": compression, "extra": extra, "tags": tags}
        together, apart = (shown(samples, photometric, separate=each, **layout) for each in (False, True))
        if together is not None and apart is not None:
            assert np.abs(together - apart).max() <= 1, (kind, order, big, tile)
        assert apart is not None or together is None or extra == (0,)


def shown(samples: np.ndarray, photometric: int, **layout: object) -> np.ndarray | None:
    """Return a file's pixels, or None when it is refused by name."""
    try:
        return by_vips(engine.process(tiff(samples, photometric, **layout), PLAIN).data).astype(int)
    except engine.UnsupportedFormat:
        return None


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("bands", [1, 3])
def test_the_bits_of_a_byte_may_begin_at_its_other_end(bands, separate):
    samples = picture("u1", bands)
    turned = np.packbits(np.unpackbits(samples[..., None], axis=3, bitorder="little"), axis=3)[..., 0]
    source = tiff(turned, RGB if bands == 3 else BLACK_IS_ZERO, separate=separate, tags={FILL_ORDER: [2]})
    assert (by_vips(engine.process(source, PLAIN).data) == samples).all()


@pytest.mark.parametrize(
    ("kind", "photometric", "bands", "layout"),
    [
        ("u1", CMYK, 4, {"separate": True}),
        ("u2", RGB, 4, {"separate": True, "extra": (1,), "compression": "deflate"}),
        ("i1", BLACK_IS_ZERO, 1, {"compression": "deflate"}),
        ("f4", BLACK_IS_ZERO, 1, {"compression": "deflate", "order": ">"}),
    ],
)
def test_samples_take_the_memory_that_was_asked_for_them(tmp_path, kind, photometric, bands, layout):
    options = engine.parse_options({"format": "jpeg"})
    engine.process(tiff(picture(kind, bands), photometric, **layout), PLAIN)  # loads what it needs
    slope = np.add.outer(np.arange(1200), np.arange(1600)) % 127
    samples = np.repeat(slope[..., None], bands, axis=2).astype(kind)
    path = written(tmp_path / "file", lambda: tiff(samples, photometric, **layout))
    need, peak, ended = measured(path, options)
    assert ended == "JPEG"
    assert peak <= need
