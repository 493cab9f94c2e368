"""A JPEG file has whole blocks, and so more samples than its picture: those beyond its edges get no mark, and go."""

import struct
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from PIL import Image

FULL = 256, 192
MARK = engine.load_options({"text": "Mark", "position": "top-left", "size": 0.5})


def sized(file: bytes, width: int, height: int) -> bytes:
    """Return a JPEG file that says another size."""
    at = 2
    while file[at + 1] not in {0xC0, 0xC1, 0xC2}:
        at += 2 + int.from_bytes(file[at + 2 : at + 4], "big")
    return file[: at + 5] + struct.pack(">HH", height, width) + file[at + 9 :]


def busy(mode: str) -> Image.Image:
    """Return a picture that hides nothing of its detail."""
    small = np.random.default_rng(1).integers(0, 256, (FULL[1] // 2, FULL[0] // 2, 3), np.uint8)
    return Image.fromarray(small).resize(FULL, Image.Resampling.BICUBIC).convert(mode)


def seen(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(file)).convert("L")).astype(int)


SETTINGS = [
    {"subsampling": "4:4:4"},
    {"subsampling": "4:2:2"},
    {"subsampling": "4:2:0"},
    {"subsampling": "4:2:0", "restart_marker_blocks": 4},
    {"subsampling": "4:4:4", "progressive": True},
    {"subsampling": "4:2:0", "progressive": True},
]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("cut", [(3, 0), (7, 0), (0, 3), (0, 7), (5, 4)])
def test_nothing_is_left_beyond_the_edges(mode: str, settings: dict[str, object], cut: tuple[int, int]) -> None:
    if mode == "L":
        settings = {name: value for name, value in settings.items() if name != "subsampling"}
    buffer = BytesIO()
    busy(mode).save(buffer, "JPEG", quality=92, **settings)
    whole = buffer.getvalue()
    width, height = FULL[0] - cut[0], FULL[1] - cut[1]
    source = sized(whole, width, height)
    result = engine.process(source, MARK)
    assert (result.width, result.height) == (width, height)
    marked, before = seen(sized(result.data, *FULL)), seen(whole)
    for hidden, last in (
        (np.s_[:, width:], np.s_[:, width - 1 : width]),
        (np.s_[height:, :], np.s_[height - 1 : height, :]),
    ):
        if marked[hidden].size:
            assert np.abs(before[hidden] - before[last]).mean() > 8, "the source hides something"
            assert np.abs(marked[hidden] - marked[last]).mean() < 6
    away = np.s_[height // 2 : height - 16, width // 2 : width - 16]
    assert np.array_equal(seen(result.data)[away], seen(source)[away])


@pytest.mark.parametrize("settings", SETTINGS)
def test_without_a_mark_no_pixel_changes(settings: dict[str, object]) -> None:
    buffer = BytesIO()
    busy("RGB").save(buffer, "JPEG", quality=92, **settings)
    source = sized(buffer.getvalue(), FULL[0] - 5, FULL[1] - 4)
    result = engine.process(source, engine.load_options({"task": "strip"})).data
    assert np.array_equal(seen(result), seen(source))


@pytest.mark.parametrize("size", [(255, 191), (250, 190), (241, 177)])
@pytest.mark.parametrize("quality", [85, 95])
@pytest.mark.parametrize("progressive", [False, True])
def test_an_ordinary_file_keeps_its_edges(
    photograph, size: tuple[int, int], quality: int, *, progressive: bool
) -> None:
    """Its encoder has repeated the last samples: every block that no mark touches stays as it is."""
    buffer = BytesIO()
    Image.open(BytesIO(photograph("dogs"))).resize(size).save(buffer, "JPEG", quality=quality, progressive=progressive)
    result = engine.process(buffer.getvalue(), MARK).data
    away = np.s_[size[1] // 2 :, size[0] // 2 :]
    assert np.array_equal(seen(result)[away], seen(buffer.getvalue())[away])
