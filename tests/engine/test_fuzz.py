"""What the engine raises is typed, and what it writes decodes, for files changed by chance. `make fuzz` tries more."""

from io import BytesIO

import pytest
from countermark import engine
from PIL import Image

from tests.fuzz.files import files
from tests.fuzz.mutations import join_png, split_png
from tests.fuzz.trying import Try, make, outcome

TRIES = 150
BROKEN = {"damaged_image", "truncated_image"}


@pytest.mark.parametrize("begin", range(0, TRIES, 25))
def test_files_changed_by_chance_are_marked_or_refused_in_words(begin):
    for number in range(begin, begin + 25):
        outcome(make(number))


def test_tries_are_of_all_kinds():
    tries = [make(number) for number in range(TRIES)]
    assert {each.form for each in tries} == set(engine.FORMATS)
    assert {str(each.options["format"]) for each in tries} == {"keep", *engine.FORMATS} - {"HEIC"}
    assert sum(outcome(each) == "marked" for each in tries[:40]) > 8


@pytest.mark.parametrize("form", engine.FORMATS)
def test_every_file_that_is_changed_is_sound_at_first(form):
    for source in files()[form]:
        try:
            engine.process(source, engine.load_options({"tasks": []}))
        except engine.ImageError as error:
            raise AssertionError(f"{form}: {error}") from error


def test_a_try_is_the_same_again():
    assert make(7) == make(7)
    assert len({make(number).source for number in range(50)}) > 40


@pytest.mark.parametrize("kind", [b"PLTE", b"IHDR", b"IDAT", b"IEND"])
def test_a_png_that_lacks_a_part_is_marked_or_refused(kind):
    buffer = BytesIO()
    Image.new("P", (40, 30), 3).save(buffer, "PNG")
    parts = [part for part in split_png(buffer.getvalue()) if part[0] != kind]
    source = join_png(buffer.getvalue(), parts)
    assert outcome(Try(source=source, form="PNG", options={"tasks": []}, preview=False)) in {"marked", *BROKEN}
