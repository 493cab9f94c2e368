"""python -m bench: what the flow costs beside its engine, on this machine, in one run.

The platform is started for it on a folder of its own, unless --url and --pid name one that runs. Each scenario uploads
through the page's own address and ends with the ZIP downloaded. Quote the times of the engine: it is measured on the
same images within minutes.
"""

import argparse
import asyncio
import os
import platform as machine
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.ceiling import engine_milliseconds
from bench.fairness import lines as beside_a_line
from bench.figures import Figures, Row, read
from bench.photographs import SIZES, photographs
from bench.picture import draw
from bench.pipeline import Measured, measure
from bench.programs import Peaks, cpu_seconds, idle
from bench.tables import tables
from tests.platform_driver import Platform, temporary_platform

COUNT = 24
RESULTS = Path(__file__).with_name("pipeline.md")


@contextmanager
def address(url: str | None, pid: int | None) -> Iterator[tuple[str, int, Platform | None]]:
    """Where the platform is, its first process, and the platform itself if it is ours."""
    if url and pid:
        yield url, pid, None
        return
    with temporary_platform() as own:
        yield own.url, own.up.pid, own


def scenarios(large: list[bytes], small: list[bytes]) -> list[tuple[str, list[bytes], list[list[bytes]], int]]:
    """Name, photographs, jobs of them, and how many jobs run at once."""
    return [
        ("one 2 MP image", small, [[image] for image in small], 1),
        (f"{COUNT} x 12 MP", large, [large], 1),
        (f"{COUNT} x 2 MP", small, [small], 1),
        ("10 jobs of 10 x 2 MP", small, [[small[(job + n) % COUNT] for n in range(10)] for job in range(10)], 10),
        ("50 users, one 2 MP image", small, [[small[user % COUNT]] for user in range(50)], 50),
    ]


def run(url: str, pid: int, rounds: int, large: list[bytes], small: list[bytes]) -> Iterator[Row]:
    """Measure every scenario, and before each of its rounds the engine: a machine is not as fast at any minute."""
    asyncio.run(measure(url, [[image] for image in small[:8]], at_once=4))  # every process is warm
    for name, images, jobs, at_once in scenarios(large, small):
        engine, measured = [], []
        for _ in range(rounds):
            engine.append(engine_milliseconds(images))
            measured.append(_with_costs(url, pid, jobs, at_once))
        middle, costs = sorted(measured, key=lambda each: each[0].seconds)[rounds // 2]
        yield Row(
            name=name,
            engine_ms=float(np.median(engine)),
            cpu_ms={program: seconds / middle.images * 1000 for program, seconds in costs.items()},
            ready_ms=float(np.median(middle.ready)) * 1000,
            p50_s=float(np.percentile(middle.latencies, 50)),
            p95_s=float(np.percentile(middle.latencies, 95)),
            images_a_second=middle.images / middle.seconds,
        )


def _with_costs(url: str, pid: int, jobs: list[list[bytes]], at_once: int) -> tuple[Measured, dict[str, float]]:
    before = cpu_seconds(pid)
    measured = asyncio.run(measure(url, jobs, at_once=at_once))
    return measured, {name: seconds - before.get(name, 0) for name, seconds in cpu_seconds(pid).items()}


def main() -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("--url", help="a platform that runs; without it one is started")
    parser.add_argument("--pid", type=int, help="the first process of that platform")
    parser.add_argument("--rounds", type=int, default=3, help="how often each scenario runs; the median counts")
    parser.add_argument(
        "--line", type=int, default=10_000, help="images of one owner beside which another's are timed; 0: not measured"
    )
    parser.add_argument("--beside", default="0.1.0", help="the release with which the figures are compared")
    parser.add_argument("--release", help="keep the figures as those of this release, and write no tables")
    arguments = parser.parse_args()
    print("Making photographs ...", flush=True)
    large, small = (photographs(size, COUNT) for size in SIZES.values())
    with address(arguments.url, arguments.pid) as (url, pid, own):
        at_rest = idle(pid)
        with Peaks(pid) as peaks:
            rows = []
            for row in run(url, pid, arguments.rounds, large, small):
                print(f"{row.name}: {row.times_the_engine:.1f} times the engine", flush=True)
                rows.append(row)
        line = list(beside_a_line(own, small, arguments.line)) if own and arguments.line else []
    figures = Figures(
        version=arguments.release or "now",
        machine=f"{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}",
        rows=rows,
        idle=at_rest,
        peaks=peaks.memory,
    )
    if arguments.release:
        print(figures.keep())
        return
    before = read(arguments.beside)
    text = (
        "\n".join(["# The pipeline, measured", "", f"{figures.machine}.", *tables(figures, before), "", *line]) + "\n"
    )
    print(text)
    RESULTS.write_text(text)
    draw(figures, before)


if __name__ == "__main__":
    main()
