"""A platform for what the ordinary one can't show: assets, a pooler before its database, low limits, short leases."""

import io
import shutil
import zlib
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
import mmap, os, time, zlib
from pathlib import Path
from typing import Literal

from countermark import engine
from PIL import Image

SLOT, ENTRY = 1024, 64
HELD = {}


@engine.register
class Hold(engine.ImageTask):
    """Work at a picture for as long as its gate is closed."""

    task: Literal["hold"] = "hold"
    gate: str
    """Its name."""

    @classmethod
    def prepare(cls) -> None:
        """Keep hold of the gates, which are shared memory: a cell opens no file."""
        with (Path(os.environ["COUNTERMARK_ASSETS"]) / "gates").open("r+b") as gates:
            HELD.update(gates=mmap.mmap(gates.fileno(), 0), function=os.getppid())

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:
        """Return the picture as it is."""
        gates, at = HELD["gates"], zlib.crc32(self.gate.encode()) % 256 * SLOT
        if gates[at]:
            entry = next(each for each in range(at + ENTRY, at + SLOT, ENTRY) if not gates[each])
            gates[entry : entry + ENTRY] = f"{HELD['function']} {picture.name}".encode().ljust(ENTRY, b"\\0")
        while gates[at]:
            time.sleep(0.02)
        return image
'''


SLOT, ENTRY, GATES = 1024, 64, 256
"""Bytes of a gate, and of one that came to it; how many gates there are."""


@dataclass(frozen=True)
class Gate:
    """Holds the pictures of jobs that have the option until it is opened."""

    file: Path
    """With all gates."""
    name: str

    @property
    def task(self) -> dict[str, str]:
        """The option."""
        return {"task": "hold", "gate": self.name}

    @property
    def begun(self) -> list[tuple[int, str]]:
        """Each picture that came to the closed gate: the function's process, and the picture's name."""
        slot = self.file.read_bytes()[self._at :][ENTRY:SLOT]
        entries = [slot[start : start + ENTRY].rstrip(b"\0").decode() for start in range(0, len(slot), ENTRY)]
        return [(int(pid), name) for pid, _, name in (entry.partition(" ") for entry in entries if entry)]

    @property
    def _at(self) -> int:
        return zlib.crc32(self.name.encode()) % GATES * SLOT

    def _write(self, data: bytes) -> None:
        with self.file.open("r+b") as gates:
            gates.seek(self._at)
            gates.write(data)

    def close(self) -> None:
        """Let no picture pass; nobody has come to it."""
        self._write(b"\1".ljust(SLOT, b"\0"))

    def wait(self, count: int = 1) -> None:
        """Wait until so many pictures have come."""
        wait_until(lambda: len(self.begun) >= count)

    def open(self) -> None:
        """Let all of them pass, those to come as well."""
        self._write(b"\0")


@dataclass(frozen=True)
class Workshop:
    """The running platform and its assets."""

    platform: Platform
    assets: Path
    is_pooled: bool

    @contextmanager
    def gate(self, name: str) -> Iterator[Gate]:
        """A gate that is closed, and open at the end in any case."""
        gate = Gate(self.assets / "gates", name)
        gate.close()
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
    for name in ("tasks", "marks"):
        (folder / name).mkdir()
    (folder / "gates").write_bytes(bytes(GATES * SLOT))
    shutil.copy(STARTER, folder / "tasks" / "mirror.py")
    (folder / "tasks" / "hold.py").write_text(HOLD)
    out = io.BytesIO()
    Image.new("RGBA", (40, 20), "red").save(out, "PNG")
    (folder / "marks" / "studio.png").write_bytes(out.getvalue())
    (folder / "presets.toml").write_text(PRESETS)
