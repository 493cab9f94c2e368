"""make test-chaos: a platform is hurt in all ways while clients send pictures, and nothing may be lost.

SEED=...        the same chances again (what runs at the same time still differs)
PHASES=a,b      only some of kills, clock, power, full, streams, restore
IMAGES=2000     pictures in all
KILLS=500       kills and stops in the phase kills
"""

import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.chaos.book import Book
from tests.chaos.phases import FAKETIME, PHASES, Run, finish, run_phase
from tests.chaos.world import opened_world

EVIDENCE = Path("build/chaos")


def main() -> int:
    """Run the phases, and tell what was lost."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: nothing is left behind
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 31))
    names = (os.environ.get("PHASES") or ",".join(PHASES)).split(",")
    if unknown := set(names) - set(PHASES):
        print(f"There is no phase {', '.join(unknown)}; there are {', '.join(PHASES)}.")
        return 2
    if "clock" in names and not FAKETIME.is_file():
        print("libfaketime is missing: apt-get install faketime")
        return 2
    images, kills = int(os.environ.get("IMAGES", "2000")), int(os.environ.get("KILLS", "500"))
    print(f"SEED={seed} PHASES={','.join(names)} IMAGES={images} KILLS={kills}", flush=True)
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    log = EVIDENCE / "harm.log"
    log.write_text("")
    started = time.monotonic()
    with opened_world() as world:
        run = Run(world, Book(), seed, images, kills, log)
        try:
            for name in names:
                run_phase(run, name)
            finish(run)
        except AssertionError as error:
            run.book.find("broken off", f"{error}"[-2000:])
        finally:
            if run.book.findings:
                with suppress(Exception):  # whatever can still be had
                    world.keep_evidence(EVIDENCE / "evidence")
            print_results(run, time.monotonic() - started)
    return 0 if run.finished and not run.book.findings else 1


def print_results(run: Run, seconds: float) -> None:
    """The table, and what was lost."""
    book = run.book
    sent = Counter[tuple[str, str]]()
    for job in book.jobs:
        sent[job.phase.partition(" ")[0], job.way] += len(job.images) * (not job.gone)
    checked = Counter[tuple[str, str]]()
    for (phase, way), count in book.checked.items():
        checked[phase.partition(" ")[0], way] += count
    print(f"\nseed {run.seed}, {seconds:.0f} s, {sum(book.retries.values())} calls without an answer were made again:")
    print("  " + ", ".join(f"{reason} {count}" for reason, count in book.retries.most_common()))
    for phase, harms in run.harms.items():
        print(f"{phase}\n  " + "\n  ".join(harms))
    print(f"\n{'phase':<10}{'way':<10}{'acknowledged':>14}{'right':>8}")
    for phase, way in sorted(set(sent) | set(checked)):
        acknowledged = sent[phase, way] or checked[phase, way]
        print(f"{phase:<10}{way:<10}{acknowledged:>14}{checked[phase, way]:>8}")
    in_all = sum(max(sent[key], checked[key]) for key in set(sent) | set(checked))
    print(f"{'in all':<20}{in_all:>14}{sum(checked.values()):>8}")
    if run.finished and not book.findings:
        print("\nLost: nothing.")
        return
    print(f"\n{len(book.findings)} findings (logs and rows are in {EVIDENCE}):")
    for kind, count in Counter(finding.kind for finding in book.findings).most_common():
        print(f"  {count} {kind}")
        for finding in [finding for finding in book.findings if finding.kind == kind][:10]:
            print(f"      {finding.what[:400]}")


if __name__ == "__main__":
    sys.exit(main())
