"""Every format, mode and way of marking looks as it did when it was last looked at."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

import golden


@pytest.mark.parametrize("name", golden.CASES)
def test_a_marked_photograph_looks_as_on_the_golden_sheet(name):
    expected = np.asarray(Image.open(golden.SHEET).convert("RGB").crop(golden.place(name)), dtype=np.int16)
    difference = np.abs(expected - np.asarray(golden.cell(name), dtype=np.int16))
    assert difference.mean() < 1  # codecs of other versions differ by so much
    assert difference.max() < 24
