"""No other picture is inside a result: a share of all carriers, and whether the detector would see one."""

from collections import defaultdict

import pytest
from countermark import engine
from countermark.engine.metadata.leaks import find_leaks
from PIL import Image

from tests.engine.carriers import sources, traces
from tests.engine.leaks import OPTIONS, what_leaks

SOURCES = list(sources())
#: What no decoder takes for a picture.
REFUSED = {"a chunk fdAT", "ANMF in WebP", "a box moov in HEIC"}


def leaks(files):
    """Return how pictures leak; no source may be refused that is a picture."""
    refused = defaultdict(list)
    found = [leak for source, options in files if (leak := what_leaks(source, options, refused))]
    assert refused.keys() <= REFUSED
    return found


@pytest.mark.slow
def test_every_source_hides_a_picture_that_the_detector_finds():
    unseen = [source.name for source in SOURCES if source.decodable and not find_leaks(source.data)]
    assert unseen == []


def test_there_are_many_carriers():
    assert len(SOURCES) * len(OPTIONS) >= 1000
    assert [source.name for source in SOURCES if len(source.payload) > 100 and not traces(source.payload)] == []


def test_tables_that_pages_had_before_are_no_picture(make):
    pages = [Image.new("RGB", (240, 160), color) for color in ("red", "navy")]
    source = make("TIFF", save_all=True, append_images=pages, compression="jpeg", description="a scan")
    assert find_leaks(engine.process(source, engine.load_options({"text": "Mark"})).data) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_no_picture_leaks(part):
    """Each source with one set of options in turn; `make test-leaks` takes all with all."""
    files = [(source, OPTIONS[number % len(OPTIONS)]) for number, source in enumerate(SOURCES)][part::4]
    assert leaks(files) == []


@pytest.mark.slow
def test_no_picture_leaks_when_coefficients_are_marked():
    assert leaks((source, OPTIONS[0]) for source in SOURCES if source.data.startswith(b"\xff\xd8")) == []
