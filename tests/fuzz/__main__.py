"""The engine on files changed by chance, in every format and with every kind of options: make fuzz.

    python -m tests.fuzz [COUNT] [FIRST]     so many tries in cells, from this number
    python -m tests.fuzz --one NUMBER        one of them again, in this process, with its stack

Nothing untyped is raised, no cell is lost, what is marked decodes in the right size, and no try takes long.
"""

import argparse
import os
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from countermark import engine
from countermark.engine import cell

from tests.fuzz.trying import make, outcome, told


def main() -> int:
    """Try; return 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("first", type=int, nargs="?", default=0)
    parser.add_argument("--one", type=int, metavar="NUMBER")
    given = parser.parse_args()
    if given.one is not None:
        warnings.simplefilter("ignore")  # a library's doubts do not make a file unreadable
        print(outcome(make(given.one), engine))
        return 0
    warnings.simplefilter("error")  # of who reads the results; cells have filters of their own
    return _try_all(range(given.first, given.first + given.count))


def _try_all(numbers: range) -> int:
    began = time.monotonic()
    codes: Counter[str] = Counter()
    found = 0
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for code, finding in threads.map(_try, numbers):
            codes[code] += 1
            if finding:
                found += 1
                print(finding, flush=True)
    cell.close()
    print(f"{len(numbers)} tries in {time.monotonic() - began:.0f} seconds:")
    print(*(f"{number:7} {code}" for code, number in codes.most_common()), sep="\n")
    print(f"{found} findings")
    return 1 if found else 0


def _try(number: int) -> tuple[str, str]:
    """Return the code of a try's end, and what is wrong with it."""
    try:
        return outcome(make(number)), ""
    except Exception as error:
        return "found", told(number, error)


if __name__ == "__main__":
    raise SystemExit(main())
