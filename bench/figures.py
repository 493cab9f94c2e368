"""The figures of one run, which are kept as JSON for a release."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.programs import Idle

RELEASES = Path(__file__).with_name("releases")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One scenario."""

    name: str
    engine_ms: float
    """Processor time of the engine alone for an image, in the same run."""
    cpu_ms: dict[str, float]
    """Processor time of each program for an image."""
    ready_ms: float
    """The median from a job's first byte until its ZIP is ready."""
    p50_s: float
    """The median until the ZIP is downloaded."""
    images_a_second: float

    @property
    def server_ms(self) -> float:
        """Processor time of all programs for an image."""
        return sum(self.cpu_ms.values())

    @property
    def is_one_by_one(self) -> bool:
        """Whether what counts is how long somebody waits for one image, and not what many cost."""
        return self.name.startswith("one ")

    @property
    def times_the_engine(self) -> float:
        """What the system takes beside what its engine takes."""
        return (self.ready_ms if self.is_one_by_one else self.server_ms) / self.engine_ms


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All that a run measured of a version."""

    version: str
    machine: str
    rows: list[Row]
    idle: Idle
    peaks: dict[str, float]
    """The most MiB of each program, and of all at one time."""

    def keep(self) -> Path:
        """Keep them as those of the release; the file."""
        RELEASES.mkdir(exist_ok=True)
        path = RELEASES / f"{self.version}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")
        return path


def read(version: str) -> Figures:
    """The figures of a release that were kept."""
    found = json.loads((RELEASES / f"{version}.json").read_text())
    rows = [Row(**row) for row in found.pop("rows")]
    return Figures(rows=rows, idle=Idle(**found.pop("idle")), **found)
