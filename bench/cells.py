"""python -m bench.cells: what a cell costs an image, beside the same engine in this process, photograph by photograph.

Both mark the same photograph in turn, and the median counts. Processor time is that of this process and of the cell
together.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from countermark import engine
from countermark.engine import cell

from bench.photographs import SIZES, photographs
from bench.ways import TILED

RESULTS = Path(__file__).parent / "cells.md"


def used() -> float:
    """Return the processor time of this process and of the cell that waits, in seconds."""
    return time.process_time() + sum(each.cpu_seconds() for each in cell.own_pool().waiting)


def cost(act: Callable[[], object]) -> tuple[float, float]:
    """Return the milliseconds of wall and of processor that something takes."""
    cpu, began = used(), time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000, (used() - cpu) * 1000


def in_turn(source: bytes, rounds: int) -> list[tuple[float, float]]:
    """Return wall and processor time in this process and in a cell."""
    ways: list[Callable[[], object]] = [
        lambda: engine.process(source, TILED),
        lambda: cell.process(source, TILED, scope="bench"),
    ]
    costs: list[list[tuple[float, float]]] = [[], []]
    for each in (*ways, *ways):
        each()
    for number in range(rounds):
        for at in (0, 1) if number % 2 else (1, 0):
            costs[at].append(cost(ways[at]))
    return [tuple(statistics.median(column) for column in zip(*each, strict=True)) for each in costs]  # type: ignore[misc]


def another_scope(source: bytes, rounds: int) -> float:
    """Return the milliseconds that the first image of a scope waits longer: a new cell has no mark prepared."""
    scopes = [str(each) for each in range(rounds)]
    firsts = [cost(partial(cell.process, source, TILED, scope=each))[0] for each in scopes]
    laters = [cost(partial(cell.process, source, TILED, scope=scopes[-1]))[0] for _ in scopes]
    return statistics.median(firsts) - statistics.median(laters)


def start(source: bytes) -> float:
    """Return the seconds until the first image is there."""
    cell.close()
    return cost(lambda: cell.process(source, TILED, scope="bench"))[0] / 1000


def memory(pid: int) -> int:
    """Return a process's proportional share of memory in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Pss:"))) // 1024


def main() -> None:
    """Measure, and keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=41)
    rounds = parser.parse_args().rounds
    lines = [
        "| JPEG, tiled | ms here | ms in a cell | more | CPU ms here | in a cell | more |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    first = 0.0
    for title, size in reversed(SIZES.items()):
        sources = photographs(size, 4)
        first = first or start(sources[0])
        both = [in_turn(source, rounds) for source in sources]
        here, there = ([statistics.median(each[at][kind] for each in both) for kind in (0, 1)] for at in (0, 1))
        more = [statistics.median(each[1][kind] - each[0][kind] for each in both) for kind in (0, 1)]
        figures = (here[0], there[0], more[0], here[1], there[1], more[1])
        lines.append(f"| {title} | " + " | ".join(f"{each:.2f}" for each in figures) + " |")
    small = photographs(SIZES["2 MP"], 1)[0]
    helper = cell.own_pool().helper
    assert helper is not None
    held = memory(helper.pid), memory(cell.own_pool().waiting[-1].pid)
    lines += [
        "",
        f"- the first image of another scope: {another_scope(small, 9):.0f} ms more",
        f"- from nothing to the first result: {first:.2f} s",
        f"- memory (PSS): helper {held[0]} MiB, a cell that waits {held[1]} MiB",
    ]
    text = "\n".join(["# What a cell costs", "", "`python -m bench.cells`, medians.", "", *lines, ""])
    RESULTS.write_text(text)
    print(text)
    cell.close()


if __name__ == "__main__":
    main()
