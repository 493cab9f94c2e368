"""python -m bench.hosts: the same jobs with watermark on 1, 2 and 4 hosts of a small share of a core each, in one run.

A host is a network namespace with an address and a CPU limit of its own; its copy of watermark stands behind Knative's
queue-proxy. Servers and caller share what is left of the machine. Needs root. Quote the ratios.
"""

import argparse
import asyncio
import os
import platform as machine
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.photographs import SIZES, photographs
from bench.pipeline import Measured, measure
from tests.hosts.network import network, why_not
from tests.hosts.spread import spread_platform
from tests.platform_driver import Platform, temporary_platform

CORES = 0.05
"""Of each host: so little that four of them leave the servers more than they take."""
HOSTS = ("a", "ab", "abcd")
"""A letter a host."""
JOBS, IMAGES, AT_ONCE = 16, 6, 8
"""Jobs, images of each, and jobs at a time: while the ZIP of one is made, images of others are marked."""
RESULTS = Path(__file__).with_name("hosts.md")


def run(platform: Platform, images: list[bytes], rounds: int) -> Iterator[str]:
    """Measure with each number of hosts; the lines of the table, each as soon as it is known."""
    yield "| hosts | images/s | times one host | per host |"
    yield "|--:|--:|--:|--:|"
    one = 0.0
    for names in HOSTS:
        rate = _median(platform, names, images, rounds).images_a_second
        one = one or rate
        yield f"| {len(names)} | {rate:.2f} | {rate / one:.2f} | {rate / len(names):.2f} |"


def _median(platform: Platform, names: str, images: list[bytes], rounds: int) -> Measured:
    """The round in the middle of so many, on hosts with these names."""
    with network() as hosts, spread_platform(platform, hosts, names, CORES):
        asyncio.run(measure(platform.url, [images] * len(names), at_once=AT_ONCE))  # every process is warm
        measured = [asyncio.run(measure(platform.url, [images] * JOBS, at_once=AT_ONCE)) for _ in range(rounds)]
    return sorted(measured, key=lambda each: each.images_a_second)[rounds // 2]


def main() -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(prog="python -m bench.hosts", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often the jobs run; the median counts")
    arguments = parser.parse_args()
    if reason := why_not():
        sys.exit(f"There can be no hosts here: {reason}.")
    lines = [
        "# Several hosts, measured",
        "",
        f"{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}.",
        f"Each host has {CORES} of a core.",
        f"{JOBS} jobs of {IMAGES} photographs of 12 MP, {AT_ONCE} at a time, from the first upload to the last ZIP.",
        "",
    ]
    print("\n".join(lines))
    images = photographs(SIZES["12 MP"], IMAGES)
    with temporary_platform(LINE_SHARE=str(4 * len(HOSTS[-1]))) as platform:
        for line in run(platform, images, arguments.rounds):
            print(line, flush=True)
            lines.append(line)
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
