"""The phases of the chaos test.

In each, clients send while something befalls the platform; then it is left in peace until every job has ended, and
every result is compared with what was sent.
"""

import asyncio
import random
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from countermark.servers.stream import connect_stream
from httpx import codes
from nats.errors import Error as NatsError

from tests.chaos import endings
from tests.chaos.book import Book, Job
from tests.chaos.checks import SECONDS_TO_END, Checker
from tests.chaos.harm import Harm, with_full_disk
from tests.chaos.senders import Client, Crowd
from tests.chaos.world import UPLOAD_SECONDS, World, dump, restore, wait_until_all_run

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
SHARES = {"kills": 0.6, "power": 0.15, "full": 0.1, "streams": 0.05, "clock": 0.05, "restore": 0.05}
"""Of the images, for each phase."""
CUTS = 4
SECONDS_OF_A_FOLDER = 660
"""A folder waits for at most ten minutes without a new file before its ZIP is made."""
BURST = 12
SECONDS_A_KILL = 0.5


@dataclass
class Run:
    """A run of the whole test."""

    world: World
    book: Book
    seed: int
    images: int
    kills: int
    log: Path
    harms: dict[str, list[str]] = field(default_factory=dict)
    """What was done in each phase, in words."""
    finished: bool = False

    def chance(self, phase: str) -> random.Random:
        """What is left to chance in a phase, the same whichever other phases run."""
        return random.Random(f"{self.seed} {phase}")

    def harm(self, phase: str) -> Harm:
        """The hands that do harm."""
        return Harm(self.world, self.chance(f"{phase}, harm"), self.log)

    def crowd(self, phase: str, part: float = 1, name: str = "") -> Crowd:
        """Clients with this phase's share of the images, or a part of it."""
        total = max(6, round(self.images * SHARES[phase] * part))
        return Crowd(self.world.platform, self.book, phase + name, self.seed, total)

    def jobs(self, phase: str) -> list[Job]:
        """What was acknowledged in a phase."""
        return [job for job in self.book.jobs if job.phase.partition(" ")[0] == phase]

    def told(self, phase: str, what: str) -> None:
        """Note what was done."""
        self.harms.setdefault(phase, []).append(what)
        say(what)


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"  {time.strftime('%H:%M:%S')}  {text}", flush=True)


def kills(run: Run) -> None:
    """Random processes are killed, ended and stopped for a while, all the time."""
    harm, crowd = run.harm("kills"), run.crowd("kills")
    chance = run.chance("kills, pauses")
    crowd.start(seconds=run.kills * SECONDS_A_KILL)
    for count in range(1, run.kills + 1):
        harm.hurt()
        if count % 100 == 0:
            again = sum(run.book.retries.values())
            say(f"{count} times; {len(run.book.jobs)} jobs acknowledged, {again} calls made again")
        # A blow on a blow, and then a while in which something gets done.
        time.sleep(chance.uniform(0, 0.4) if count % BURST else chance.uniform(2, 6))
    harm.end()
    crowd.wait()
    for what in sorted({kind for kind, _ in harm.done}):
        victims = ", ".join(f"{name} {number}" for (kind, name), number in sorted(harm.done.items()) if kind == what)
        run.told("kills", f"{sum(n for (kind, _), n in harm.done.items() if kind == what)} {what}: {victims}")


def power(run: Run) -> None:
    """The power of the whole machine is cut, and what was not synced is lost: all of it, or a part."""
    harm, chance = run.harm("power"), run.chance("power")
    for cut in range(CUTS):
        crowd = run.crowd("power", 1 / CUTS, f" {cut + 1}")
        crowd.start()
        time.sleep(chance.uniform(1, 8))
        seed = 0 if cut % 2 == 0 else chance.randrange(1, 1 << 30)
        harm.note(f"power cut, {seed=}")
        seconds = run.world.cut_power(seed)
        lost = "a part" if seed else "all"
        run.told("power", f"the power was cut, {lost} of what was not synced is lost; ready after {seconds:.1f} s")
        crowd.wait()


def full(run: Run) -> None:
    """The disk is full for a moment: for the stream, the database, the store."""
    harm, chance = run.harm("full"), run.chance("full")
    crowd = run.crowd("full")
    crowd.start(seconds=30)
    for folder in 2 * ("nats", "postgres", run.world.platform.store):
        time.sleep(chance.uniform(0.5, 2))
        seconds = chance.choice([1, 3, 5])
        with_full_disk(run.world, folder, seconds, harm.note)
        run.told("full", f"the disk of {folder} was full for {seconds} s")
    crowd.wait()


def streams(run: Run) -> None:
    """The streams are deleted, and then the server's files."""
    harm = run.harm("streams")
    crowd = run.crowd("streams")
    crowd.start(seconds=15)
    for _ in range(3):
        time.sleep(3)
        deleted = asyncio.run(_delete_streams(run.world.platform.secret("nats-url")))
        harm.note(f"deleted the streams {deleted}")
        run.told("streams", f"the streams {', '.join(deleted)} were deleted")
    with suppress(FileNotFoundError):  # it may write meanwhile
        run.world.platform.kill("nats")
        shutil.rmtree(run.world.platform.folder.root / "nats")
    run.told("streams", "the stream's server was killed and its files were deleted")
    crowd.wait()


async def _delete_streams(url: str) -> list[str]:
    client = await connect_stream(url)
    try:
        stream = client.jetstream()
        names = [info.config.name or "" for info in await stream.streams_info()]
        for name in names:
            with suppress(NatsError):
                await stream.delete_stream(name)
        return names
    finally:
        await client.close()


def clock(run: Run) -> None:
    """The clock of the database jumps an hour ahead, back, and behind all others, while functions die."""
    harm, moved = run.harm("clock"), run.world.folder / "clock"
    moved.write_text("+0")
    variables = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(moved),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    run.world.change_environment("postgres", "servers", variables)
    _calm(run)
    crowd = run.crowd("clock")
    crowd.start(seconds=30)
    for offset in ("+1h", "+0", "-1h", "+0"):
        time.sleep(5)
        moved.write_text(offset)
        harm.note(f"the database's clock is at {offset}")
        time.sleep(3)
        seen = run.world.rows("SELECT extract(epoch FROM clock_timestamp())")[0][0]
        run.told("clock", f"the database's clock is at {offset}: {float(seen) - time.time():+.0f} s from ours")
        for name in ("watermark", "archive"):
            with suppress(ProcessLookupError, IndexError):
                run.world.platform.kill(name)
    crowd.wait()
    _calm(run)
    run.world.stop()
    run.world.start()


def restored(run: Run) -> None:
    """The database is replaced by a backup that was made in the middle of the work."""
    before = run.crowd("restore", 0.4, " before")
    before.start()
    before.wait()
    crowd = run.crowd("restore", 0.6, " around")
    crowd.start(seconds=10)
    time.sleep(4)
    backup, backed_up_at = run.world.folder / "backup", time.time()
    dump(run.world, backup)
    run.told("restore", "a backup was made")
    crowd.wait()
    time.sleep(10)  # some of what is not in the backup ends
    with run.world.only_servers():
        restore(run.world, backup)
    run.told("restore", "and restored, when other work had been done since")
    _list_missing(run, backed_up_at)
    run.world.store.delete_object(Bucket="results", Key=endings.MARKER)
    run.told("restore", "the operator agrees that what the restored database does not know is deleted")


def _list_missing(run: Run, backed_up_at: float) -> None:
    """Uploads since the backup may be missing; they are listed. What was dropped may not: it still is in the bucket."""
    client = Client(run.world.platform, run.book)
    missing = []
    for job in run.book.jobs:
        if not job.token:
            continue
        answer = client.ask("GET", f"/function/status/{job.token}?images=none", accept=[404, 410])
        if answer.status_code == codes.NOT_FOUND:
            if job.acknowledged_at < backed_up_at:
                run.book.find("lost", f"{job} was sent before the backup and is not known any more")
            job.gone = True
            missing.append(job)
    client.close()
    listed = ", ".join(map(str, missing)) or "none"
    run.told("restore", f"{len(missing)} uploads since the backup are missing: {listed}")


def _calm(run: Run) -> None:
    wait_until_all_run(run.world)


PHASES: dict[str, Callable[[Run], None]] = {
    "kills": kills,
    "clock": clock,
    "power": power,
    "full": full,
    "streams": streams,
    "restore": restored,
}


def run_phase(run: Run, name: str) -> None:
    """One phase, and the comparison of its results."""
    started = time.monotonic()
    print(f"{name}: {(PHASES[name].__doc__ or '').splitlines()[0]}", flush=True)
    PHASES[name](run)
    _calm(run)
    jobs = run.jobs(name)
    if name == "clock":
        # A folder that was touched while the clock was ahead looks an hour old, and such a one waits for ten minutes.
        say(f"{len(jobs)} jobs are acknowledged; their end is looked at when all phases are over")
    else:
        say(f"{len(jobs)} jobs are acknowledged; waiting for their end")
        _check(run, jobs, SECONDS_TO_END)
    say(f"done after {time.monotonic() - started:.0f} s, {len(run.book.findings)} findings")


def _check(run: Run, jobs: list[Job], seconds: float) -> None:
    client = Client(run.world.platform, run.book)
    Checker(client, run.book).wait_and_check(jobs, seconds)
    client.close()


def finish(run: Run) -> None:
    """Everything is looked at once more, ends, and leaves nothing behind."""
    print("end: every result once more, then everything is deleted", flush=True)
    _check(run, run.jobs("clock"), SECONDS_OF_A_FOLDER)
    client = Client(run.world.platform, run.book)
    jobs: list[Job] = run.book.jobs
    endings.expect_all_ended(run.world, run.book, seconds=UPLOAD_SECONDS + 60)
    say("every job has ended")
    Checker(client, run.book).check_again(jobs)
    endings.expect_nothing_given_up(run.world, run.book)
    say("every result was compared again")
    endings.end_all(run.world, client, jobs)
    endings.expect_nothing_left(run.world, run.book)
    client.close()
    say("everything is deleted")
    run.finished = True
