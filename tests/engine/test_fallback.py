"""Where the package was built without a C compiler, everything works, only slower."""

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import countermark
import numpy as np
import pytest
from countermark import engine
from PIL import Image

PROGRAM = """
import sys
from pathlib import Path
from countermark import engine
source = Path(sys.argv[1]).read_bytes()
edited = engine.process(source, engine.parse_options({"color": "orange", "metadata": "no-location"}))
Path(sys.argv[2]).write_bytes(edited.data)
png = engine.process(source, engine.parse_options({"color": "orange", "format": "png"}))
Path(sys.argv[2]).with_suffix(".png").write_bytes(png.data)
print(engine.__file__, engine.why_no_kernel(), sep="\\n")
"""
PNG = {"color": "orange", "format": "png"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The package as it is installed without its kernel."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "countermark").mkdir()
    (folder / "countermark" / "__init__.py").touch()
    source = Path(countermark.__path__[0]) / "engine"
    shutil.copytree(source, folder / "countermark" / "engine", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return folder


def test_a_photograph_looks_the_same_without_the_kernel(bare, photograph, tmp_path):
    (tmp_path / "in.jpg").write_bytes(photograph("brushes"))
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "in.jpg"), str(tmp_path / "out.jpg")]
    done = subprocess.run(command, env={"PYTHONPATH": str(bare)}, cwd=bare, check=True, capture_output=True, text=True)
    where, why = done.stdout.splitlines()
    assert Path(where).is_relative_to(bare)
    assert "compiler" in why
    options = engine.parse_options({"color": "orange", "metadata": "no-location"})
    here = np.asarray(Image.open(BytesIO(engine.process(photograph("brushes"), options).data)), dtype=float)
    there = np.asarray(Image.open(tmp_path / "out.jpg"), dtype=float)
    assert 10 * np.log10(255**2 / ((here - there) ** 2).mean()) > 36
    here = Image.open(BytesIO(engine.process(photograph("brushes"), engine.parse_options(PNG)).data))
    assert here.tobytes() == Image.open(tmp_path / "out.png").tobytes()
