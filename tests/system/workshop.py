"""A platform for what the ordinary one can't show: assets, a pooler before its database, low limits, short leases."""

import io
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.own_postgres import running_postgres
from tests.platform_driver import Platform, temporary_platform, wait_until
from tests.system.pooler import pooled, why_not

LEASE_SECONDS = 3
ATTEMPTS = 2
"""Failed attempts at an image or a ZIP."""
FILES = 40
FILE_BYTES = 4 * 1024 * 1024
JOB_BYTES = 3 * FILE_BYTES
"""Of one job."""

STARTER = Path(__file__).parents[2] / "templates" / "python3-countermark" / "function" / "task.py"
PRESETS = """
[house_style]
text = "HOUSE"
position = "top-left"
format = "TIFF"

[half]
tasks = [{task = "mirror", upside_down = true}, {task = "resize", width = 50, height = 50}]
"""
HOLD = '''
import os, time
from pathlib import Path
from typing import Literal

from countermark import engine
from PIL import Image


@engine.register
class Hold(engine.ImageTask):
    """Work at a picture for as long as there is a file."""

    task: Literal["hold"] = "hold"
    gate: str
    """The file's name."""

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:
        """Return the picture as it is."""
        gate = Path(os.environ["COUNTERMARK_ASSETS"]) / "gates" / self.gate
        if gate.exists():
            with gate.with_suffix(".log").open("a") as log:
                log.write(f"{os.getpid()} {picture.name}\\n")
        while gate.exists():
            time.sleep(0.02)
        return image
'''


@dataclass(frozen=True)
class Gate:
    """Holds the pictures of jobs that have the option until it is opened."""

    path: Path

    @property
    def task(self) -> dict[str, str]:
        """The option."""
        return {"task": "hold", "gate": self.path.name}

    @property
    def begun(self) -> list[tuple[int, str]]:
        """Each picture that came to the closed gate: the process, and the picture's name."""
        log = self.path.with_suffix(".log")
        lines = log.read_text().splitlines() if log.exists() else []
        return [(int(pid), name) for pid, _, name in (line.partition(" ") for line in lines)]

    def wait(self, count: int = 1) -> None:
        """Wait until so many pictures have come."""
        wait_until(lambda: len(self.begun) >= count)

    def open(self) -> None:
        """Let all of them pass, those to come as well."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Workshop:
    """The running platform and its assets."""

    platform: Platform
    assets: Path
    is_pooled: bool

    @contextmanager
    def gate(self, name: str) -> Iterator[Gate]:
        """A gate that is closed, and open at the end in any case."""
        gate = Gate(self.assets / "gates" / name)
        gate.path.touch()
        try:
            yield gate
        finally:
            gate.open()


@contextmanager
def open_workshop(folder: Path) -> Iterator[Workshop]:
    """Start it; it uses a PostgreSQL of its own by a pooler, if there is a pooler on this machine.

    Args:
        folder: for its assets.
    """
    make_assets(folder)
    settings = {
        "COUNTERMARK_ASSETS": str(folder),
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "IMAGE_ATTEMPTS": str(ATTEMPTS),
        "ARCHIVE_ATTEMPTS": str(ATTEMPTS),
        "DROP_QUIET": "1",
        "MAX_FILES": str(FILES),
        "MAX_FILE_BYTES": str(FILE_BYTES),
        "MAX_JOB_BYTES": str(JOB_BYTES),
    }
    with ExitStack() as stack:
        if is_pooled := why_not() is None:
            settings["DATABASE_URL"] = stack.enter_context(pooled(stack.enter_context(running_postgres())))
        platform = stack.enter_context(temporary_platform(**settings))
        yield Workshop(platform, folder, is_pooled)


def make_assets(folder: Path) -> None:
    """Tasks, a mark, presets."""
    for name in ("tasks", "marks", "gates"):
        (folder / name).mkdir()
    shutil.copy(STARTER, folder / "tasks" / "mirror.py")
    (folder / "tasks" / "hold.py").write_text(HOLD)
    out = io.BytesIO()
    Image.new("RGBA", (40, 20), "red").save(out, "PNG")
    (folder / "marks" / "studio.png").write_bytes(out.getvalue())
    (folder / "presets.toml").write_text(PRESETS)
