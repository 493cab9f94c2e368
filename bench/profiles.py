"""python -m bench.profiles: where the processor time of the functions and of the database goes, by scenario.

py-spy looks at every Python process a hundred times a second, and what waits is left out; PostgreSQL counts its
statements (pg_stat_statements). The lists are kept in profiles.md.
"""

import asyncio
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pg8000.native import Connection

from bench.__main__ import COUNT, scenarios
from bench.photographs import SIZES, photographs
from bench.pipeline import measure
from tests.platform_driver import Platform, temporary_platform, wait_until

RESULTS = Path(__file__).with_name("profiles.md")
PROGRAMS = ("upload", "watermark", "archive", "status", "connector")
ROUNDS = 5
LINES, STATEMENTS = 12, 8
FEWEST = 100
"""With fewer samples a share says nothing."""
SAMPLES_A_SECOND = 100
TEXT = 100
"""Characters of a statement or a stack that are shown."""

WAITS = (
    *("Condition.wait (", "_worker (concurrent", "EpollSelector.select (", "poll2 (waitress", "SocketIO.readinto ("),
    *("_renew_all (", "wait (", "accept ("),
)
"""How the places begin in which a thread waits: of a fork py-spy can't tell whether it is on a core."""

STATISTICS = """
SELECT calls, total_exec_time, regexp_replace(query, '\\s+', ' ', 'g')
FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT :count
"""


def main() -> None:
    """Profile the scenarios of many images."""
    large, small = (photographs(size, COUNT) for size in SIZES.values())
    lines = [
        "# The profiles",
        "",
        "By `python -m bench.profiles`: of the samples that py-spy took of a program at work, the share of each place",
        "in the code; and what PostgreSQL says of its statements. What the object store and Caddy do is not in it.",
        "",
    ]
    with temporary_platform() as platform:
        count_statements(platform)
        connection = connect(platform)
        asyncio.run(measure(platform.url, [[image] for image in small[:8]], at_once=4))
        for name, _, jobs, at_once in scenarios(large, small):
            if len(jobs) == len(small):
                continue  # one by one: mostly waiting
            connection.run("SELECT pg_stat_statements_reset()")
            with samples(platform) as found:
                images = sum(asyncio.run(measure(platform.url, jobs, at_once=at_once)).images for _ in range(ROUNDS))
            lines += [f"## {name}", "", *functions(found), *statements(connection, images)]
        connection.close()
    RESULTS.write_text("\n".join(lines))
    print("\n".join(lines))


def count_statements(platform: Platform) -> None:
    """Let PostgreSQL count its statements, which takes a new start of it."""
    connection = connect(platform)
    connection.run("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    connection.close()
    platform.kill("postgres")
    wait_until(lambda: platform.answers("/function/status/" + "0" * 32))
    connection = connect(platform)
    connection.run("CREATE EXTENSION pg_stat_statements")
    connection.close()


def connect(platform: Platform) -> Connection:
    """A connection to the platform's database."""
    url = urlsplit(platform.database_url)
    return Connection(
        url.username or "", host=url.hostname, port=url.port, database=url.path.lstrip("/"), password=url.password
    )


@contextmanager
def samples(platform: Platform) -> Iterator[dict[str, Counter[str]]]:
    """The functions that were seen on a core, by program; filled at the end."""
    found: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as recordings:
        files = []
        for program in PROGRAMS:
            for pid in platform.pids(program):
                file = Path(folder) / f"{pid}.raw"
                files.append((program, file))
                recordings.enter_context(recording(pid, file))
        yield found
        recordings.close()
        for program, file in files:
            for line in file.read_text().splitlines():
                stack, _, count = line.rpartition(" ")
                place = stack.rpartition(";")[2]
                if not place.startswith(WAITS):
                    found.setdefault(program, Counter())[place] += int(count)


@contextmanager
def recording(pid: int, file: Path) -> Iterator[None]:
    """py-spy on one process."""
    command = ["py-spy", "record", "--pid", str(pid), "--format", "raw", "--output", str(file), "--rate"]
    process = subprocess.Popen([*command, str(SAMPLES_A_SECOND)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(2)
        process.wait(30)


def functions(found: dict[str, Counter[str]]) -> Iterator[str]:
    """A table for each program: the functions with the most samples."""
    for program, counter in found.items():
        if counter.total() < FEWEST:
            continue
        yield from (f"| {program}, {counter.total()} samples | % |", "|---|--:|")
        for place, count in counter.most_common(LINES):
            yield f"| `{place[-TEXT:]}` | {100 * count / counter.total():.0f} |"
        yield ""


def statements(connection: Connection, images: int) -> Iterator[str]:
    """The statements with the most time."""
    yield from ("| statement | times an image | ms an image |", "|---|--:|--:|")
    for calls, milliseconds, text in connection.run(STATISTICS, count=STATEMENTS) or []:
        yield f"| `{text[:TEXT]}` | {calls / images:.1f} | {milliseconds / images:.2f} |"
    yield ""


if __name__ == "__main__":
    main()
