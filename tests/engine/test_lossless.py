"""JPEG files marked in their coefficients: exact outside the mark, and right inside it."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from countermark import engine
from countermark.engine import dct
from countermark.engine.decode import open_image
from countermark.engine.ground import Ground
from countermark.engine.limits import Deadline
from countermark.engine.lossless import mark_lossless, suits_coefficients
from countermark.engine.task import Output, Picture
from PIL import Image, ImageDraw, ImageOps

SAMPLES = Path(__file__).parent / "samples"
RED = {"text": "Mark", "color": "red", "opacity": "0.8", "effect": "outline", "size": "0.6"}


def jpeg(image: Image.Image, **settings: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", **({"quality": 90} if "qtables" not in settings else {}) | settings)
    return buffer.getvalue()


def picture(output: Output | None = None) -> Picture:
    output = output or Output(format="JPEG", quality="keep", metadata="keep")
    return Picture(name="a.jpg", number=1, frames=1, taken=None, profile=None, output=output, deadline=Deadline(60))


def marked(source: bytes, fields: dict[str, str]) -> bytes | None:
    tasks = engine.parse_options(fields).tasks
    opened = open_image(source, engine.Limits())
    result = mark_lossless(opened, tasks, picture()) if suits_coefficients(opened, tasks, picture().output) else None
    return result and result.data


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"), dtype=np.int16)


def painted(source: bytes, fields: dict[str, str]) -> np.ndarray:
    """Return the picture with its mark painted on pixels and never encoded again: what is right."""
    (task,) = engine.parse_options(fields).tasks
    image = Image.open(BytesIO(source))
    image.load()
    return np.asarray(task.edit(image, picture()).convert("RGB"), dtype=np.int16)


def units(mask: np.ndarray, size: int = 32) -> np.ndarray:
    """Return a mask grown to whole units of `size` pixels, which no block of an encoder exceeds."""
    grown = np.zeros_like(mask)
    for y, x in {(y // size, x // size) for y, x in np.argwhere(mask).tolist()}:
        grown[y * size : y * size + size, x * size : x * size + size] = True
    return grown


def noise(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    return 10 * np.log10(255**2 / max(((one - other)[where] ** 2.0).mean(), 1e-9))


def subsampled(picture: np.ndarray, across: int, down: int) -> np.ndarray:
    """Return a picture whose chroma has been averaged over `across` x `down` pixels."""
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((0, -height % down), (0, -width % across), (0, 0)), mode="edge")
    planes = np.array(Image.fromarray(padded.astype(np.uint8)).convert("YCbCr"))
    chroma = planes[..., 1:].reshape(padded.shape[0] // down, down, padded.shape[1] // across, across, 2)
    means = np.rint(chroma.mean(axis=(1, 3))).astype(np.uint8)
    planes[..., 1:] = means.repeat(down, axis=0).repeat(across, axis=1)
    whole = np.asarray(Image.fromarray(planes, mode="YCbCr").convert("RGB"), dtype=np.int16)
    return whole[:height, :width]


@pytest.fixture(scope="module")
def photo(photograph) -> Image.Image:
    return Image.open(BytesIO(photograph("brushes"))).resize((611, 403))


def sources(photo: Image.Image) -> dict[str, bytes]:
    files = {
        f"{sampling} {'progressive' if progressive else 'baseline'}": jpeg(
            photo, subsampling=sampling, progressive=progressive
        )
        for sampling in ("4:4:4", "4:2:2", "4:2:0")
        for progressive in (False, True)
    }
    files |= {path.stem: path.read_bytes() for path in SAMPLES.glob("4*.jpg")}
    return files | {"restarts": jpeg(photo, restart_marker_blocks=5), "optimised": jpeg(photo, optimize=True)}


KINDS = ["4:4:4 baseline", "4:4:4 progressive", "4:2:2 baseline", "4:2:2 progressive", "4:2:0 baseline",
         "4:2:0 progressive", "440", "411", "restarts", "optimised"]  # fmt: skip


def test_the_kernel_is_there():
    assert dct.why_missing() is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("position", ["tile", "bottom-right"])
def test_a_coloured_mark_is_as_right_as_one_painted_on_pixels(photo, kind, position):
    source, fields = sources(photo)[kind], {**RED, "position": position}
    ideal = painted(source, fields)
    under = (ideal != pixels(source)).any(axis=2)
    if kind in {"440", "411"}:  # Pillow cannot write these: what their chroma can hold is worked out
        ideal = subsampled(ideal, *{"440": (1, 2), "411": (4, 1)}[kind])
        assert noise(pixels(marked(source, fields)), ideal, under) > 25
        return
    tables = Image.open(BytesIO(source)).quantization
    subsampling = kind.split()[0] if ":" in kind else "4:2:0"
    reference = jpeg(Image.fromarray(ideal.astype(np.uint8)), qtables=tables, subsampling=subsampling)
    here, there = (noise(pixels(data), ideal, under) for data in (marked(source, fields), reference))
    assert here > 25
    assert here > there - 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_outside_the_mark_no_pixel_changes(photo, kind):
    source, fields = sources(photo)[kind], {**RED, "position": "top-left", "size": "0.2"}
    before, after = pixels(source), pixels(marked(source, fields))
    outside = ~units((painted(source, fields) != before).any(axis=2))
    outside[:, 1:] &= outside[:, :-1]  # a decoder smooths chroma over the edge of a block
    outside[1:] &= outside[:-1]
    assert outside.mean() > 0.6
    assert (before == after)[outside].all()
    assert (before != after).any()


def test_a_grey_file_stays_grey(photo):
    source = jpeg(photo.convert("L"))
    after = marked(source, {"position": "center"})
    assert Image.open(BytesIO(after)).mode == "L"
    assert noise(pixels(after), painted(source, {"position": "center"}), np.s_[:]) > 38


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_mark_is_drawn_the_way_the_picture_lies(photo, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source, fields = jpeg(photo, exif=exif, subsampling="4:2:0"), {**RED, "position": "top-right", "size": "0.3"}
    after = marked(source, fields)
    result = Image.open(BytesIO(after))
    assert result.getexif()[0x0112] == orientation
    upright = jpeg(ImageOps.exif_transpose(Image.open(BytesIO(source))), quality=98, subsampling="4:4:4")
    ideal = painted(upright, fields)
    seen = np.asarray(ImageOps.exif_transpose(result).convert("RGB"), dtype=np.int16)
    assert noise(seen, ideal, np.s_[:]) > 34


@pytest.mark.parametrize(
    "fields", [{"color": "red"}, {"tiling": "staggered", "size": "0.11"}, {"tiling": "diagonal", "rotation": "-77"}]
)
@pytest.mark.parametrize("size", [(32, 24), (17, 250), (333, 12), (257, 129)])
def test_every_size_is_as_right_as_on_pixels(photo, size, fields):
    source = jpeg(photo.resize(size), subsampling="4:2:0", quality=95)
    assert noise(pixels(marked(source, fields)), painted(source, fields), np.s_[:]) > 26


def test_two_marks_are_painted_one_over_the_other(photo):
    source = jpeg(photo)
    tasks = [
        {"task": "watermark", "position": "center", "opacity": 1},
        {"task": "watermark", "text": "x", "position": "top"},
    ]
    data = engine.process(source, engine.load_options({"tasks": tasks})).data
    once = marked(source, {"position": "center", "opacity": "1"})
    assert data == marked(once, {"text": "x", "position": "top"})


@pytest.mark.parametrize(
    "settings",
    [{"keep_rgb": True}, {"mode": "CMYK"}],
    ids=["RGB", "CMYK"],
)
def test_other_colours_are_left_to_the_pixels(photo, settings):
    settings = dict(settings)
    source = jpeg(photo.convert(settings.pop("mode", "RGB")), **settings)
    assert marked(source, RED) is None
    edited = engine.process(source, engine.parse_options(RED))
    assert noise(pixels(edited.data), painted(source, RED), np.s_[:]) > 25


def test_a_blend_that_mixes_colours_is_left_to_the_pixels(photo):
    assert marked(jpeg(photo), {**RED, "blend": "multiply"}) is None
    assert marked(jpeg(photo), {"blend": "screen"}) is not None


def test_a_grey_blend_is_the_same_as_on_pixels(photo):
    source = jpeg(photo)
    for blend in ("multiply", "screen"):
        fields = {"blend": blend, "opacity": "0.9", "color": "#808080", "effect": "none"}
        plain = pixels(source).astype(float)
        (task,) = engine.parse_options({**fields, "blend": "normal"}).tasks
        (stamp,) = task.stamps(photo.size, picture(), Ground.of)
        mark = Image.new("RGBA", photo.size)
        for spot in stamp.spots:
            mark.paste(stamp.sprite.image, spot, stamp.sprite.image.getchannel("A"))
        alpha = np.asarray(mark.getchannel("A"), dtype=float)[..., None] / 255
        color = 128.0
        mixed = plain * color / 255 if blend == "multiply" else 255 - (255 - plain) * (255 - color) / 255
        ideal = plain + (mixed - plain) * alpha
        assert noise(pixels(marked(source, fields)), ideal, np.s_[:]) > 34


def test_truncated_files_say_so(photograph):
    source = photograph("fig")
    assert marked(source[: len(source) * 2 // 3], RED) is None
    with pytest.raises(engine.TruncatedImage):
        engine.process(source[: len(source) * 2 // 3], engine.Options())


def test_a_file_that_takes_too_long_says_so(photograph):
    slow = picture()
    object.__setattr__(slow, "deadline", Deadline(-1))
    with pytest.raises(engine.TookTooLong):
        mark_lossless(open_image(photograph("fig"), engine.Limits()), engine.Options().tasks, slow)


def test_tables_and_subsampling_stay(photo):
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        before = Image.open(BytesIO(jpeg(photo, subsampling=subsampling, quality=71)))
        after = Image.open(
            BytesIO(engine.process(jpeg(photo, subsampling=subsampling, quality=71), engine.Options()).data)
        )
        assert (before.quantization, before.layer) == (after.quantization, after.layer)


def test_several_threads_get_what_one_gets(photograph):
    names = ["brushes", "dogs", "fig", "sunset"]
    alone = [engine.process(photograph(name), engine.Options()).data for name in names]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda name: engine.process(photograph(name), engine.Options()).data, names * 4))
    assert together == alone * 4


def test_a_file_with_extreme_coefficients_can_still_be_encoded():
    image = Image.new("L", (256, 256))
    draw = ImageDraw.Draw(image)
    for x in range(0, 256, 2):
        draw.line((x, 0, x, 255), fill=255)
    source = jpeg(image, quality=100)
    assert marked(source, {"opacity": "0.3"}) is not None


def test_of_a_file_with_several_pictures_the_first_is_marked_and_the_others_leave(photo):
    buffer = BytesIO()
    photo.save(buffer, "MPO", save_all=True, append_images=[photo.rotate(90)], quality=90)
    edited = engine.process(buffer.getvalue(), engine.parse_options(RED))
    assert (edited.format, edited.width, edited.height) == ("JPEG", *photo.size)
    assert edited.data.count(b"\xff\xd8\xff") == 1
    assert b"MPF" not in edited.data
    assert noise(pixels(edited.data), painted(jpeg(photo), RED), np.s_[:]) > 28
