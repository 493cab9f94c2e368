"""The memory of images: as much as was asked for at the most, and no more for many frames than for few."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from countermark import engine
from countermark.engine.limits import RESULT_ANY, check_result

from tests.engine.hostile import HOSTILE, fax, flat_png, gif, gif_data, small_png
from tests.engine.needs import apart, made, measured, written

MEGA = 1_000_000
#: Refused before anything is decoded, whatever they say to hold.
SMALL = [
    "JPEG of 4 billion pixels",
    "JPEG with EXIF of values as large as itself",
    "PNG with frames larger than itself",
    "GIF with a frame of 900 million pixels",
    "TIFF with a second page of 900 million pixels",
    "TIFF with a tile of 900 million pixels",
    "TIFF with 1,000 pages of 60,000 entries",
    "WebP with a canvas of 270 million pixels",
    "AVIF with a grid of one tile 60,000 times",
    "HEIC with a grid of one tile 60,000 times",
    "BMP of 4 billion pixels",
]


@pytest.mark.parametrize("name", SMALL)
def test_what_is_refused_takes_no_memory(tmp_path, name):
    path = written(tmp_path / "file", HOSTILE[name])
    need, peak, ended = measured(path, engine.Options())
    assert ended in {"too_many_pixels", "damaged_image"}
    assert need == 0
    assert peak < 20 * MEGA


@pytest.mark.parametrize(
    ("form", "mode", "wanted"),
    [
        ("JPEG", "RGB", "keep"),
        ("JPEG", "RGB", "PNG"),
        ("JPEG", "CMYK", "WebP"),
        ("PNG", "RGB", "AVIF"),
        ("PNG", "RGBA", "JPEG"),
        ("PNG", "P", "GIF"),
        ("WEBP", "RGBA", "keep"),
        ("AVIF", "RGB", "PNG"),
        ("TIFF", "RGB", "keep"),
    ],
)
def test_an_image_takes_what_it_asked_for(tmp_path, form, mode, wanted):
    engine.process(made("JPEG", "RGB", (300, 200), {}), engine.parse_options({"format": wanted}))  # loads what it needs
    engine.process(made(form, mode, (300, 200), {}), engine.Options())
    path = written(tmp_path / "file", partial(made, form, mode, (1600, 1200), {}))
    need, peak, _ = measured(path, engine.parse_options({"format": wanted}))
    assert peak <= need
    assert need < 40 * MEGA + 40 * 1600 * 1200  # `make test-needs` tells how near it is


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [0.25, 0.5, 1, 2])
def test_a_large_mark_takes_what_was_asked_for_it(tmp_path, form, size):
    """Of nine lines, it is as high as wide, and turned by 45 degrees its box is twice as large."""
    mark = {"size": size, "rotation": 45, "text": "\n".join(["W" * 20] * 9)}
    for each in ({}, {"color": "red", "blend": "multiply"}):
        engine.process(made(form, "RGB", (300, 200), {}), engine.load_options({**mark, **each}))
    path = written(tmp_path / "file", partial(made, form, "RGB", (3000, 2000), {}))
    for each in ({}, {"color": "red", "blend": "multiply"}):
        need, peak, ended = measured(path, engine.load_options({**mark, **each}))
        assert ended == form
        assert peak <= need


@pytest.mark.parametrize("form", ["GIF", "PNG", "WebP", "AVIF"])
def test_many_frames_take_no_more_than_few(tmp_path, form):
    """Each is written when it is made, so that what is left of it is its part of the result."""
    peaks = []
    for count in (10, 60):
        path = tmp_path / str(count)
        path.write_bytes(gif((700, 500), *[(0, 0, 700, 500)] * count))
        _, peak, ended = measured(path, engine.parse_options({"format": form}))
        assert ended == form
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 12 * MEGA  # all 50 are 70 million bytes


def test_of_a_still_result_one_frame_is_decoded():
    broken = gif((64, 64), (0, 0, 64, 64), (0, 0, 32, 32)).replace(gif_data(32, 32), b"\2\2\x4c\1\0")
    assert engine.process(broken, engine.Options(format="JPEG")).format == "JPEG"
    with pytest.raises(engine.TruncatedImage):
        engine.process(broken, engine.Options())


def test_a_task_cannot_make_a_picture_larger_than_allowed(tmp_path):
    path = written(tmp_path / "file", small_png)
    options = engine.parse_options({"tasks": '[{"task":"resize","width":16384,"enlarge":true}]'})
    need, peak, ended = measured(path, options)
    assert (need, ended) == (0, "too_many_pixels")
    assert peak < 20 * MEGA
    with pytest.raises(engine.TooManyPixels):
        engine.preview(small_png(), options)


class Huge(engine.ImageTask):
    """Return a picture that is larger than it said."""

    task: str = "huge"

    def edit(self, image, picture):  # noqa: ARG002
        """Return a large picture."""
        return image.resize((2000, 2000))


def test_a_task_that_says_nothing_is_looked_at_behind_it():
    with pytest.raises(engine.TooManyPixels):
        engine.process(small_png(), engine.Options(tasks=(Huge(),)), limits=engine.Limits(max_pixels=1_000_000))


class Greedy(engine.ImageTask):
    """Take more memory than there is."""

    task: str = "greedy"

    def edit(self, image, picture):  # noqa: ARG002
        """Raise what Python raises then."""
        raise MemoryError


def test_a_lack_of_memory_is_the_images_own_error():
    with pytest.raises(engine.TooLargeHere):
        engine.process(small_png(), engine.Options(tasks=(Greedy(),)))


def test_a_small_file_makes_no_large_one():
    limits = engine.Limits(max_bytes=MEGA)
    with pytest.raises(engine.ResultTooLarge, match="million bytes"):
        engine.process(flat_png(2500, 2500), engine.Options(format="BMP"), limits=limits)
    assert engine.process(flat_png(2500, 2500), engine.Options(), limits=limits).format == "PNG"
    check_result(RESULT_ANY, 0, engine.Limits())
    with pytest.raises(engine.ResultTooLarge):
        check_result(500 * MEGA, 100 * MEGA, engine.Limits())


def test_no_file_writes_to_the_log(tmp_path):
    """Codecs of the C kind write to the standard error, whatever Python does with warnings."""
    (tmp_path / "fax").write_bytes(fax(2000))
    (tmp_path / "tiff").write_bytes(HOSTILE["TIFF with 900 values as large as itself"]()[:100_000])
    code = "import sys; from countermark import engine\nfor name in sys.argv[1:]:\n  try: engine.process(open(name, 'rb').read(), engine.Options())\n  except engine.ImageError: pass"  # noqa: E501
    paths = [str(path) for path in sorted(Path(tmp_path).iterdir())]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_process_apart_says_what_it_has_to_say():
    assert apart(lambda: "x" * 5000) == "x" * 5000
