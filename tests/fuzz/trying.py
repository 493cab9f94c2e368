"""One try: a file changed by chance, options by chance, and what must be true whatever comes of it."""

import json
import random
from dataclasses import dataclass
from io import BytesIO
from types import ModuleType

from countermark import engine
from countermark.engine import cell
from PIL import Image, ImageOps

from tests.fuzz.files import files
from tests.fuzz.mutations import mutated

#: Most tries take a hundredth of a second of a processor.
LIMITS = engine.Limits(max_pixels=1_000_000, max_frames=40, max_bytes=2_000_000, seconds=10)
FORMS = ("keep", "keep", "keep", "JPEG", "PNG", "WebP", "AVIF", "TIFF", "GIF", "BMP")
MARKS = (
    {},
    {"text": "© {name} {number}", "size": 0.4},
    {"text": "x", "position": "auto", "color": "#ff0000", "effect": "none"},
    {"text": "mark", "tiling": "straight", "blend": "multiply", "color": "black"},
    {"text": "mark", "position": "center", "rotation": 33, "opacity": 0.3, "color": "white"},
)


@dataclass(frozen=True, kw_only=True)
class Try:
    """What is done with which bytes."""

    source: bytes
    form: str
    options: dict[str, object]
    preview: bool


def make(number: int) -> Try:
    """Return a try; one number is always the same one."""
    dice = random.Random(number)
    form = dice.choice(sorted(files()))
    source = mutated(dice, form, dice.choice(files()[form]), files()[form])
    tasks: list[dict[str, object]] = []
    if dice.random() < 0.8:
        tasks.append({"task": "watermark", **dice.choice(MARKS)})
    if dice.random() < 0.3:
        more = ({"task": "resize", "width": 30}, {"task": "grayscale"}, {"task": "strip"}, {"task": "watermark"})
        tasks.insert(dice.randint(0, len(tasks)), dice.choice(more))
    options: dict[str, object] = {
        "tasks": tasks,
        "format": dice.choice(FORMS),
        "quality": dice.choice(("keep", "keep", 1, 60, 100)),
        "metadata": dice.choice(("keep", "no-location", "none")),
    }
    if dice.random() < 0.3:
        options |= {"creator": "A. Photographer", "copyright": "© Studio", "usage_terms": "Ask first."}
    return Try(source=source, form=form, options=options, preview=dice.random() < 0.15)


def outcome(each: Try, where: ModuleType = cell) -> str:
    """Try it in a cell, or where else there are `process` and `preview`; return the code of its error, or "marked".

    Raises what must not be raised: what is no ImageError, and a lost cell, in which the same was raised, or a crash.
    """
    options = engine.load_options(each.options)
    work = where.preview if each.preview else where.process
    named = {"scope": "fuzz"} if where is cell else {}
    failed = None
    try:
        edited = work(each.source, options, limits=LIMITS, **named)
    except engine.ImageError as error:
        failed = error
    if failed:
        assert not isinstance(failed, engine.TookTooLong), failed
        assert str(failed).endswith("."), f"{failed!s} is no sentence"
        return failed.code
    _check(edited)
    return "marked"


def _check(edited: engine.Edited) -> None:
    assert engine.sniff(edited.data[:64]) == edited.format
    image = Image.open(BytesIO(edited.data))
    image.load()
    count = getattr(image, "n_frames", 1)
    if edited.format == "JPEG":  # the only one that is not turned upright
        image = ImageOps.exif_transpose(image)
    assert (image.width, image.height) == (edited.width, edited.height)
    assert count == edited.frames


def told(number: int, error: BaseException) -> str:
    """Return what a person needs to play a try again."""
    each = make(number)
    why = f" {error.__context__}" if isinstance(error, cell.CellError) else ""
    return f"{number} {each.form} {json.dumps(each.options)}: {type(error).__name__}: {error}{why}"
