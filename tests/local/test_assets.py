"""A folder of assets that the functions could not read stops the start in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.ports import pick_free_port
from infra.project import ROOT

UNPREPARED = """
from typing import Literal
from countermark import engine

@engine.register
class Unprepared(engine.ImageTask):
    task: Literal["unprepared"] = "unprepared"

    @classmethod
    def prepare(cls):
        1 / 0

    def edit(self, image, picture):
        return image
"""


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("", "", "There is no folder {folder}."),
        ("tasks/bad.py", "1 / 0", "{folder}/tasks/bad.py is no task: division by zero"),
        ("tasks/bad.py", UNPREPARED, "The task unprepared cannot prepare itself: division by zero"),
        ("presets.toml", "= nothing", "{folder}/presets.toml cannot be read: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    folder = tmp_path / "assets"
    if name:
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    given = {
        "COUNTERMARK_ASSETS": str(folder),
        "COUNTERMARK_DATA": str(tmp_path / "data"),
        "PORT": str(pick_free_port()),
    }
    command = [sys.executable, "-m", "infra.local", "up"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, timeout=60, check=False
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert line.startswith(f"COUNTERMARK_ASSETS: {says.format(folder=folder)}")
