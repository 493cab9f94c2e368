"""For any valid options and any picture: the result opens, has the right size, and is the same outside the mark."""

from io import BytesIO
from typing import get_args

import numpy as np
from countermark import engine
from countermark.engine import layout
from countermark.engine.ground import Ground
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

POSITIONS = list(get_args(layout.Position))
fractions = st.floats(0, 1, allow_subnormal=False)

watermarks = st.fixed_dictionaries(
    {"task": st.just("watermark"), "position": st.sampled_from(POSITIONS)},
    optional={
        "text": st.text(st.sampled_from("AaЖжΩω©0 \n"), min_size=1, max_size=12).filter(str.strip),
        "tiling": st.sampled_from(["straight", "staggered", "diagonal"]),
        "spacing": st.floats(0, 3),
        "size": st.floats(0.01, 2),
        "margin": st.floats(0, 0.5),
        "opacity": st.floats(0.02, 1),
        "rotation": st.floats(-360, 360),
        "color": st.sampled_from(["auto", "white", "black", "#ff3300", "#808080"]),
        "effect": st.sampled_from(["none", "shadow", "outline"]),
        "blend": st.sampled_from(["normal", "multiply", "screen"]),
    },
)
other_tasks = st.one_of(
    st.just({"task": "grayscale"}),
    st.builds(lambda width: {"task": "resize", "width": width}, st.integers(1, 300)),
    st.just({"task": "strip"}),
)
sizes = st.tuples(st.integers(1, 200), st.integers(1, 200))


@st.composite
def files(draw: st.DrawFn, forms: dict[str, list[str]]) -> tuple[bytes, str]:
    """Draw a file with noise of any size, mode and format."""
    form = draw(st.sampled_from(sorted(forms)))
    mode = draw(st.sampled_from(forms[form]))
    width, height = draw(sizes)
    noise = np.random.default_rng(draw(st.integers(0, 99)))
    image = Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=np.uint8)).resize((width, height))
    image = image.convert({"I;16": "L"}.get(mode, mode))
    if mode in {"RGBA", "LA"}:
        image.putalpha(Image.fromarray(noise.integers(0, 256, (height, width), dtype=np.uint8)))
    options = {}
    if form == "JPEG" and mode == "RGB":
        options = {"subsampling": draw(st.sampled_from([0, 1, 2])), "progressive": draw(st.booleans())}
    if form == "WebP":
        options = {"lossless": True, "exact": True}
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue(), form


every = {
    "JPEG": ["L", "RGB", "CMYK"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "WebP": ["RGB", "RGBA"],
    "TIFF": ["L", "RGB", "CMYK", "RGBA"],
    "GIF": ["P", "L"],
    "BMP": ["L", "RGB"],
}
exact = {"PNG": ["L", "RGB", "RGBA"], "TIFF": ["RGB", "CMYK", "RGBA"], "BMP": ["RGB"], "JPEG": ["L", "RGB"]}
slowly = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@given(files(every), st.lists(st.one_of(watermarks, other_tasks), max_size=3))
@slowly
def test_every_result_opens_in_the_right_size(file, tasks):
    source, form = file
    options = understood({"tasks": tasks})
    assume(isinstance(options, engine.Options))  # white that is multiplied is refused
    edited = outcome(source, options)
    if isinstance(edited, engine.EmptyMark):
        return
    result = Image.open(BytesIO(edited.data))
    result.load()
    assert (edited.format, edited.width, edited.height) == (form, *result.size)
    assert engine.sniff(edited.data[:64]) == form
    width = min([task["width"] for task in tasks if task["task"] == "resize"] + [Image.open(BytesIO(source)).width])
    assert result.width == width


@given(files(exact), watermarks)
@slowly
def test_outside_the_mark_every_pixel_is_the_same(file, task):
    source, form = file
    options = understood({"tasks": [task]})
    assume(isinstance(options, engine.Options))
    assume(form != "JPEG" or task["position"] != "auto")  # means of blocks and of pixels may choose another corner
    before = Image.open(BytesIO(source))
    picture = engine.Picture(
        name="image", number=1, frames=1, taken=None, profile=None,
        output=engine.Output(format=form, quality="keep", metadata="keep"),
    )  # fmt: skip
    after = outcome(source, options)
    if isinstance(after, engine.EmptyMark):
        return
    stamps = options.tasks[0].stamps(before.size, picture, lambda: Ground.of(before))
    # One more than the picture: a chroma sample at its edge may lie half outside, and sees the mark there.
    under = Image.new("L", (before.width + 1, before.height + 1))
    for sprite, spots in stamps:
        for spot in spots:
            under.paste(255, spot, sprite.image.getchannel("A").point(lambda value: 255 * (value > 0)))
    touched = np.asarray(under) > 0
    if form == "JPEG":  # what mixes colours or brings them to a grey picture is encoded anew
        assume(all(each.sprite.blend == "normal" and (before.mode == "RGB" or each.sprite.grey) for each in stamps))
        touched[before.height // 16 * 16 :] = touched[:, before.width // 16 * 16 :] = True  # reach over the edges
        touched = grown_to_blocks(touched)
    touched = touched[:-1, :-1]
    after = Image.open(BytesIO(after.data))
    colored = "RGBA" if before.mode == "RGBA" else "CMYK" if before.mode == "CMYK" else "RGB"
    one, other = (np.asarray(image.convert(colored)) for image in (before, after))
    assert (one == other)[~touched].all()


def grown_to_blocks(mask: np.ndarray) -> np.ndarray:
    """Return the mask grown to whole 16 x 16 units and the pixel around them that a decoder smooths."""
    grown = np.zeros_like(mask)
    for y, x in {(y // 16, x // 16) for y, x in np.argwhere(mask).tolist()}:
        grown[max(y * 16 - 1, 0) : y * 16 + 17, max(x * 16 - 1, 0) : x * 16 + 17] = True
    return grown


@given(
    st.dictionaries(
        st.text(max_size=8), st.one_of(st.none(), st.text(), st.integers(), st.lists(st.integers())), max_size=4
    )
)
@slowly
def test_any_json_is_understood_or_refused_by_field(obj):
    result = understood(obj)
    if isinstance(result, engine.InvalidOptions):
        assert result.errors
        assert all(each["field"] and each["message"] for each in result.errors)
        assert str(result)


@given(st.sampled_from(["brushes", "fig"]), st.integers(0, 90_000), st.binary(min_size=1, max_size=64))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_damaged_photograph_is_marked_or_refused(photograph, name, at, garbage):
    source = bytearray(photograph(name))
    source[at : at + len(garbage)] = garbage
    result = outcome(bytes(source))
    if isinstance(result, engine.ImageError):
        assert str(result).endswith(".")
    else:
        Image.open(BytesIO(result.data)).load()


def understood(obj: dict[str, object]) -> engine.Options | engine.InvalidOptions:
    try:
        return engine.load_options(obj)
    except engine.InvalidOptions as error:
        return error


def outcome(source: bytes, options: engine.Options | None = None) -> engine.Edited | engine.ImageError:
    try:
        return engine.process(source, options or engine.Options(), limits=engine.Limits(max_pixels=5_000_000))
    except engine.ImageError as error:
        return error
