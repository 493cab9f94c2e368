"""python -m bench: the pipeline beside its ceiling, on this machine, in one run.

The platform is started for it on a folder of its own, unless --url names one that runs. Each scenario uploads through
the page's own address and ends with the ZIP downloaded; the ceiling is the engine alone on the same images, on all
cores. Quote the ratios: both were measured on the same machine within minutes.
"""

import argparse
import asyncio
import os
import platform as machine
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from bench.ceiling import images_a_second
from bench.fairness import lines as beside_a_line
from bench.memory import Peaks
from bench.photographs import SIZES, photographs
from bench.pipeline import measure
from tests.platform_driver import Platform, temporary_platform

COUNT = 24
RESULTS = Path(__file__).with_name("pipeline.md")


@contextmanager
def address(url: str | None) -> Iterator[tuple[str, Platform | None, Peaks]]:
    """Where the platform is, the platform itself if it is ours, and what watches its memory."""
    if url:
        yield url, None, Peaks(None)
        return
    with temporary_platform() as own, Peaks(own.up.pid) as peaks:
        yield own.url, own, peaks


def scenarios(large: list[bytes], small: list[bytes]) -> list[tuple[str, list[bytes], list[list[bytes]], int]]:
    """Name, photographs, jobs of them, and how many jobs run at once."""
    return [
        ("one 2 MP image", small, [[image] for image in small], 1),
        (f"{COUNT} x 12 MP", large, [large], 1),
        (f"{COUNT} x 2 MP", small, [small], 1),
        ("10 jobs of 10 x 2 MP", small, [[small[(job + n) % COUNT] for n in range(10)] for job in range(10)], 10),
        ("50 users, one 2 MP image", small, [[small[user % COUNT]] for user in range(50)], 50),
    ]


def run(url: str, rounds: int, large: list[bytes], small: list[bytes]) -> Iterator[str]:
    """Measure every scenario; the lines of the table, each as soon as it is known."""
    ceilings = {id(images): images_a_second(images) for images in (large, small)}
    asyncio.run(measure(url, [[image] for image in small[:8]], at_once=4))  # every process is warm
    yield "| scenario | images/s | ceiling | ratio | p50 s | p95 s |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, images, jobs, at_once in scenarios(large, small):
        measured = [asyncio.run(measure(url, jobs, at_once=at_once)) for _ in range(rounds)]
        middle = sorted(measured, key=lambda each: each.images_a_second)[len(measured) // 2]
        ceiling = ceilings[id(images)]
        yield (
            f"| {name} | {middle.images_a_second:.1f} | {ceiling:.1f} | {middle.images_a_second / ceiling:.2f}"
            f" | {middle.latency(50):.2f} | {middle.latency(95):.2f} |"
        )


def main() -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("--url", help="a running platform; without it one is started")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each scenario runs; the median counts; 0: none does"
    )
    parser.add_argument(
        "--line", type=int, default=10_000, help="images of one owner beside which another's are timed; 0: not measured"
    )
    arguments = parser.parse_args()
    print("Making photographs ...", flush=True)
    large, small = (photographs(size, COUNT) for size in SIZES.values())
    lines = [
        "# The pipeline, measured",
        "",
        f"{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}.",
        "The caller runs on the same cores.",
        "",
    ]
    print("\n".join(lines))
    with address(arguments.url) as (url, own, peaks):
        tables = [run(url, arguments.rounds, large, small)] if arguments.rounds else []
        tables += [beside_a_line(own, small, arguments.line)] if own and arguments.line else []
        for line in chain.from_iterable(chain(table, [""]) for table in tables):
            print(line, flush=True)
            lines.append(line)
    print("\n".join(peaks.lines()))
    RESULTS.write_text("\n".join([*lines, *peaks.lines()]) + "\n")


if __name__ == "__main__":
    main()
