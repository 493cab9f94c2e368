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

from bench.ceiling import images_a_second
from bench.memory import Peaks
from bench.photographs import SIZES, photographs
from bench.pipeline import measure
from tests.platform_driver import temporary_platform

COUNT = 24


@contextmanager
def address(url: str | None) -> Iterator[tuple[str, Peaks]]:
    """Where the platform is, and what watches its memory."""
    if url:
        yield url, Peaks(None)
        return
    with temporary_platform() as own, Peaks(own.up.pid) as peaks:
        yield own.url, peaks


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("--url", help="a running platform; without it one is started")
    parser.add_argument("--rounds", type=int, default=1, help="how often the large scenarios run; the best counts")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}; making photographs ...")
    large, small = (photographs(size, COUNT) for size in SIZES.values())
    ceilings = {id(images): images_a_second(images) for images in (large, small)}
    scenarios = [
        ("one 2 MP image", small, [[image] for image in small], 1),
        (f"{COUNT} x 12 MP", large, [large], 1),
        (f"{COUNT} x 2 MP", small, [small], 1),
        ("10 jobs of 10 x 2 MP", small, [[small[(job + n) % COUNT] for n in range(10)] for job in range(10)], 10),
        ("50 users, one 2 MP image", small, [[small[user % COUNT]] for user in range(50)], 50),
    ]
    with address(arguments.url) as (url, peaks):
        asyncio.run(measure(url, [[image] for image in small[:8]], at_once=4))  # every process is warm
        print(f"{'scenario':26}{'images/s':>9}{'ceiling':>9}{'ratio':>7}{'p50 s':>8}{'p95 s':>8}")
        for name, images, jobs, at_once in scenarios:
            rounds = [asyncio.run(measure(url, jobs, at_once=at_once)) for _ in range(arguments.rounds)]
            best, ceiling = max(rounds, key=lambda measured: measured.images_a_second), ceilings[id(images)]
            print(
                f"{name:26}{best.images_a_second:9.1f}{ceiling:9.1f}{best.images_a_second / ceiling:7.2f}"
                f"{best.latency(50):8.2f}{best.latency(95):8.2f}"
            )
        peaks.print()


if __name__ == "__main__":
    main()
