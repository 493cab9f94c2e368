"""Whether anybody waits behind another's ten thousand images, and what it costs him who has them."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.client import Caller, caller_of
from tests.platform_driver import Platform, wait_until
from tests.system.rows import Rows

BULK, OTHER = "127.0.9.1", "127.0.9.2"
"""Two addresses of the loopback, which are two owners."""
JOBS = 1000
ALONE = 10
"""Jobs of one image without any other, whose median the others are compared with."""
WINDOWS = 5
"""Of the measurement: without the other owner and with him by turns, beginning and ending without."""
WINDOW_SECONDS = 20.0
PAUSE_SECONDS = 2.0
"""Between two jobs of the other owner."""


@dataclass
class Seen:
    """What was measured while there was a long line."""

    images: int
    """In the line at first."""
    quiet: list[float] = field(default_factory=list)
    """Images a second of the owner of the line, in each window without another one."""
    busy: list[float] = field(default_factory=list)
    """The same, with another owner."""
    waits: list[float] = field(default_factory=list)
    """Seconds of each job of the other owner, until it was ready."""

    @property
    def loss(self) -> float:
        """The part of his images a second that the owner of the line loses to the other one."""
        return 1 - statistics.mean(self.busy) / statistics.mean(self.quiet)


def lines(platform: Platform, images: list[bytes], count: int) -> Iterator[str]:
    """Measure; the lines of a table, each as soon as it is known."""
    rows = Rows(platform.database_url)
    with caller_of(platform, BULK) as bulk, caller_of(platform, OTHER) as other:
        alone = statistics.median(_seconds(other, images[0]) for _ in range(ALONE))
        yield "| one image of another owner | median s | worst s | than alone | the line's images/s | it loses |"
        yield "|---|--:|--:|--:|--:|--:|"
        yield f"| alone | {alone:.2f} | | | | |"
        for name, begin in (("job", _one_job), ("jobs", _many_jobs)):
            jobs = begin(bulk, images, count)
            seen = _watch(rows, other, images[0], jobs)
            middle, worst = statistics.median(seen.waits), max(seen.waits)
            yield (
                f"| beside {seen.images} images in {len(jobs)} {name} | {middle:.2f} | {worst:.2f}"
                f" | {middle - alone:.2f} | {statistics.mean(seen.quiet):.1f} | {seen.loss:.1%} |"
            )
            for job in jobs:
                bulk.delete(job)
            wait_until(lambda: _left(rows) == 0, 600)
    rows.database.close()


def _seconds(caller: Caller, image: bytes) -> float:
    """How long a job of one image takes, from the upload until its ZIP is ready."""
    started = time.perf_counter()
    job = caller.upload([("one.jpg", image)])
    caller.wait(job)
    seconds = time.perf_counter() - started
    caller.delete(job)
    return seconds


def _one_job(caller: Caller, images: list[bytes], count: int) -> list[str]:
    """A job of so many images, of which few are different. They are sent faster than they are marked."""
    order = caller.order([(f"{number}.jpg", images[number % len(images)]) for number in range(count)])
    for number, upload in enumerate(order["uploads"]):
        assert caller.put(upload, images[number % len(images)]) == 200
    return [order["job"]]


def _many_jobs(caller: Caller, images: list[bytes], count: int) -> list[str]:
    """The same number of images in many jobs, made of the images of one."""
    size = max(1, count // JOBS)
    first = caller.upload([(f"{number}.jpg", images[number % len(images)]) for number in range(size)])
    return [first, *(caller.again(first).json()["job"] for _ in range(count // size - 1))]


def _watch(rows: Rows, other: Caller, image: bytes, jobs: list[str]) -> Seen:
    """Measure by turns; there must be a line until the end."""
    owned = "SELECT count(*) FROM images WHERE owner = :owner AND state = :state"
    owner = f"address:{BULK}"
    wait_until(lambda: rows.one(owned, owner=owner, state="expected") == 0, 600)
    seen = Seen(images=_left(rows))
    for window in range(WINDOWS):
        before, started = rows.one(owned, owner=owner, state="done"), time.monotonic()
        rates = seen.busy if window % 2 else seen.quiet
        while (passed := time.monotonic() - started) < WINDOW_SECONDS:
            if rates is seen.busy:
                seen.waits.append(_seconds(other, image))
            time.sleep(min(PAUSE_SECONDS, max(0.0, WINDOW_SECONDS - passed)))
        rates.append((rows.one(owned, owner=owner, state="done") - before) / (time.monotonic() - started))
    assert _left(rows) > 0, f"{jobs[0]} and the others ended before everything was measured: take more images"
    return seen


def _left(rows: Rows) -> int:
    """Images of the line that have not ended."""
    sql = "SELECT count(*) FROM images WHERE owner = :owner AND state IN ('expected', 'waiting')"
    return int(rows.one(sql, owner=f"address:{BULK}"))
