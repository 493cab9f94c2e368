"""What was sent and acknowledged, and what was found wrong."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.pictures import Style, draw


@dataclass(frozen=True)
class Sent:
    """A picture that was sent."""

    name: str
    number: int
    version: int = 0

    @property
    def kind(self) -> str:
        """The ending of its name, which is the kind of its file."""
        return self.name.rpartition(".")[2]

    def data(self) -> bytes:
        """The file."""
        return draw(self.number, self.version, self.kind)


@dataclass
class Job:
    """Pictures whose sending was acknowledged, and how they are to come out."""

    way: str
    phase: str
    style: Style
    images: dict[str, Sent] = field(default_factory=dict)
    """By name; of a dropped one what was dropped last."""
    token: str = ""
    """The job's id, when the client was told one."""
    folder: str = ""
    """The folder of the drop bucket."""
    not_uploaded: set[str] = field(default_factory=set)
    """Names that were announced and did not come."""
    acknowledged_at: float = 0
    gone: bool = False
    """It was sent after the backup that was restored, and the restored platform does not know it."""

    def __str__(self) -> str:
        return f"{self.way} job {self.token or self.folder} ({len(self.images)} images, {self.phase})"


@dataclass(frozen=True)
class Finding:
    """Something that may not be."""

    kind: str
    what: str


class Book:
    """Shared by the threads that send."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.findings: list[Finding] = []
        self.retries: Counter[str] = Counter()
        """Calls without an acknowledgement, by the reason."""
        self.checked: Counter[tuple[str, str]] = Counter()
        """Results that were decoded and right, by phase and way."""
        self._numbers = 0
        self._lock = threading.Lock()

    def number(self) -> int:
        """The next picture's number."""
        with self._lock:
            self._numbers += 1
            return self._numbers

    def add(self, job: Job) -> None:
        """Count a job as acknowledged."""
        job.acknowledged_at = time.time()
        with self._lock:
            self.jobs.append(job)

    def find(self, kind: str, what: str) -> None:
        """Write down what is wrong, and tell at once."""
        what = " ".join(what.split()) if kind != "broken off" else what
        with self._lock:
            if kind_is_new := Finding(kind, what) not in self.findings:
                self.findings.append(Finding(kind, what))
        if kind_is_new:
            print(f"  !! {kind}: {what}", flush=True)

    def count_retry(self, reason: str) -> None:
        """Count a call that has to be made again."""
        with self._lock:
            self.retries[reason] += 1

    def count_checked(self, job: Job, images: int) -> None:
        """Count results that were right."""
        with self._lock:
            self.checked[job.phase, job.way] += images
