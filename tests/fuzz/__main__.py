"""The engine on files changed by chance, in every format and with every kind of options: make fuzz.

    python -m tests.fuzz [COUNT [FIRST]]     so many tries, from this number
    python -m tests.fuzz --one NUMBER        one of them again, with its stack

Nothing untyped is raised, what is marked decodes in the right size, and no try takes long.
"""

import os
import subprocess
import sys
import time
import traceback
from collections import Counter

from tests.fuzz.trying import make, outcome, told

_SLICE = 250  # tries of one process, so that what kills it is found


def main() -> int:
    """Try; return 1 when something was found."""
    if sys.argv[1:2] == ["--one"]:
        print(outcome(make(int(sys.argv[2]))))
        return 0
    if sys.argv[1:2] == ["--slice"]:
        return _slice(int(sys.argv[2]), int(sys.argv[3]))
    count, first = (*map(int, sys.argv[1:3]), *(10_000, 0)[len(sys.argv) - 1 :])[:2]
    began = time.monotonic()
    waiting = list(range(first, first + count, _SLICE))
    running: list[tuple[subprocess.Popen[str], int]] = []
    codes: Counter[str] = Counter()
    found: list[str] = []
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            begin = waiting.pop(0)
            end = min(begin + _SLICE, first + count)
            command = [sys.executable, "-m", "tests.fuzz", "--slice", str(begin), str(end)]
            running.append((subprocess.Popen(command, stdout=subprocess.PIPE, text=True), end - begin))
        process, tries = running.pop(0)
        lines = process.communicate()[0].splitlines()
        tries -= sum(line.startswith(("code ", "found ")) for line in lines)
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "code":
                codes[rest] += 1
            elif kind == "found":
                found.append(rest)
                print(rest, flush=True)
        if tries:
            found.append(f"a process ended with {process.returncode} behind {lines[-1:]}")
            print(found[-1], flush=True)
    print(f"{sum(codes.values()) + len(found)} tries in {time.monotonic() - began:.0f} seconds:")
    print(*(f"{number:7} {code}" for code, number in codes.most_common()), sep="\n")
    print(f"{len(found)} findings")
    return 1 if found else 0


def _slice(begin: int, end: int) -> int:
    found = 0
    for number in range(begin, end):
        print(f"try {number}", flush=True)
        try:
            print("code", outcome(make(number)), flush=True)
        except Exception as error:
            found = 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            print("found", told(number, error).replace("\n", " "), f"at {place.name}:{place.lineno}", flush=True)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
