"""A cell opens nothing: whatever the engine may import or read for an image, the helper has loaded before."""

import subprocess
import sys

import pytest

LATE = """
import os, sys
from countermark import engine
from countermark.engine.cell import helper, place
from tests.engine import heic
from tests.engine.carriers import sources
from tests.engine.leaks import OPTIONS

place.enter()
files = [each.data for each in sources()]
options = [engine.parse_options(each) for each in OPTIONS]
helper.load(())
late = set()

def note(event, values):
    if event in {"import", "open"}:
        late.add(f"{event} {values[0]}")

sys.addaudithook(note)
for number, file in enumerate(files):
    for given in (options[number % len(options)], options[4]):
        try:
            engine.process(file, given)
        except engine.ImageError:
            pass
print(len(files), *sorted(late), sep="\\n")
"""


@pytest.mark.slow
def test_nothing_is_opened_or_imported_for_an_image() -> None:
    """Of files that carry metadata of every kind, written in every format. In a cell it would fail as a damaged one."""
    done = subprocess.run(
        [sys.executable, "-c", LATE], env={"OPENBLAS_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    count, *late = done.stdout.splitlines()
    assert int(count) > 500, done.stderr
    assert late == []
