"""python -m bench: what the flow costs beside its engine, on this machine, in one run.

The platform is started for it on a folder of its own. Each scenario uploads through the page's own address and ends
with the ZIP downloaded. Quote the times of the engine: it is measured on the same images in turns.
"""

import argparse
import asyncio
import os
import platform as machine
from contextlib import ExitStack
from dataclasses import dataclass
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
from tests.platform_driver import temporary_platform

COUNT = 24
RESULTS = Path(__file__).with_name("pipeline.md")


NOW = "now"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A platform that is measured."""

    version: str
    url: str
    pid: int
    """Its first process."""


def scenarios(large: list[bytes], small: list[bytes]) -> list[tuple[str, list[bytes], list[list[bytes]], int]]:
    """Name, photographs, jobs of them, and how many jobs run at once."""
    return [
        ("one 2 MP image", small, [[image] for image in small], 1),
        (f"{COUNT} x 12 MP", large, [large], 1),
        (f"{COUNT} x 2 MP", small, [small], 1),
        ("10 jobs of 10 x 2 MP", small, [[small[(job + n) % COUNT] for n in range(10)] for job in range(10)], 10),
        ("50 users, one 2 MP image", small, [[small[user % COUNT]] for user in range(50)], 50),
    ]


def run(subjects: list[Subject], rounds: int, large: list[bytes], small: list[bytes]) -> dict[str, list[Row]]:
    """The rows of each platform. Engine and platforms take turns: a machine is not as fast at any minute."""
    for subject in subjects:
        asyncio.run(measure(subject.url, [[image] for image in small[:8]], at_once=4))  # every process is warm
    rows: dict[str, list[Row]] = {subject.version: [] for subject in subjects}
    for name, images, jobs, at_once in scenarios(large, small):
        engine: list[float] = []
        measured: dict[str, list[tuple[Measured, dict[str, float]]]] = {subject.version: [] for subject in subjects}
        for _ in range(rounds):
            engine.append(engine_milliseconds(images))
            for subject in subjects:
                measured[subject.version].append(_with_costs(subject, jobs, at_once))
        for version, its in measured.items():
            row = _row(name, float(np.median(engine)), *sorted(its, key=lambda each: each[0].seconds)[rounds // 2])
            rows[version].append(row)
            print(f"{name}, {version}: {row.times_the_engine:.1f} times the engine", flush=True)
    return rows


def _row(name: str, engine_ms: float, measured: Measured, costs: dict[str, float]) -> Row:
    return Row(
        name=name,
        engine_ms=engine_ms,
        cpu_ms={program: seconds / measured.images * 1000 for program, seconds in costs.items()},
        ready_ms=float(np.median(measured.ready)) * 1000,
        p50_s=float(np.percentile(measured.latencies, 50)),
        images_a_second=measured.images / measured.seconds,
    )


def _with_costs(subject: Subject, jobs: list[list[bytes]], at_once: int) -> tuple[Measured, dict[str, float]]:
    before = cpu_seconds(subject.pid)
    measured = asyncio.run(measure(subject.url, jobs, at_once=at_once))
    return measured, {name: seconds - before.get(name, 0) for name, seconds in cpu_seconds(subject.pid).items()}


def main() -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each scenario runs; the median counts")
    parser.add_argument(
        "--line", type=int, default=10_000, help="images of one owner beside which another's are timed; 0: not measured"
    )
    parser.add_argument("--beside", default="0.1.0", help="the release with which the figures are compared")
    parser.add_argument(
        "--url", help="a platform of that release that runs: it is measured in turns with ours, and kept"
    )
    parser.add_argument("--pid", type=int, help="the first process of that platform")
    arguments = parser.parse_args()
    print("Making photographs ...", flush=True)
    large, small = (photographs(size, COUNT) for size in SIZES.values())
    with temporary_platform() as own:
        subjects = [Subject(version=NOW, url=own.url, pid=own.up.pid)]
        if arguments.url and arguments.pid:
            subjects.append(Subject(version=arguments.beside, url=arguments.url, pid=arguments.pid))
        at_rest = {subject.version: idle(subject.pid) for subject in subjects}
        with ExitStack() as stack:
            peaks = {subject.version: stack.enter_context(Peaks(subject.pid)) for subject in subjects}
            rows = run(subjects, arguments.rounds, large, small)
        line = list(beside_a_line(own, small, arguments.line)) if arguments.line else []
    now, *before = (
        Figures(
            version=version,
            machine=f"{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}",
            rows=its,
            idle=at_rest[version],
            peaks=peaks[version].memory,
        )
        for version, its in rows.items()
    )
    for each in before:
        each.keep()
    beside = read(arguments.beside)
    text = "\n".join(["# The pipeline, measured", "", f"{now.machine}.", *tables(now, beside), "", *line]) + "\n"
    print(text)
    RESULTS.write_text(text)
    draw(now, beside)


if __name__ == "__main__":
    main()
