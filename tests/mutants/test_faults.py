"""Broken code makes a test fail: each fault of the table is tried on a copy of the code."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import pytest

from infra.project import ROOT
from tests.conftest import POSTGRES
from tests.mutants.faults import FAULTS, Fault

AT_ONCE = 2
PLUGINS = [word for name in ("no:cacheprovider", "pytest_timeout", "xdist.plugin") for word in ("-p", name)]
"""Those that the settings of pytest stand on; the others take longer to import than a test takes."""
SECONDS = 120
"""After so long a run of a few tests hangs."""
COPIED = ("functions", "infra", "tests", "pyproject.toml", "stack.yml")
LEFT = shutil.ignore_patterns("__pycache__", "photographs", "cluster", "web", "images", "engine-samples", "native")
BY_ASSERTION = re.compile(r"AssertionError|assert |Failed: DID NOT RAISE")
"""How a failure begins that a test has told; another error would only show that the broken code does not run."""

Case = tuple[str, str]
"""A test, and why it failed; empty if it passed."""


@dataclass(frozen=True)
class Outcome:
    """What became of some tests."""

    cases: list[Case]
    output: str

    def of(self, test: str) -> list[str]:
        """Why a test failed, for each of its parameters."""
        return [why for name, why in self.cases if name == test or name.startswith(f"{test}[")]


@dataclass(frozen=True)
class Bench:
    """Where copies of the code are made and tried."""

    folder: Path
    runners: Queue[subprocess.Popen[str]]
    """Those that have nothing to do; forking.py says what one understands."""

    def copy(self, name: str) -> Path:
        """A copy of the code; the files are one with those of the others until they are replaced."""
        place, first = self.folder / re.sub(r"\W+", "-", name), self.folder / "whole"
        if not first.exists():
            first.mkdir()
            for each in COPIED:
                copy = shutil.copy2 if (ROOT / each).is_file() else copy_folder
                copy(ROOT / each, first / each)
        shutil.copytree(first, place, copy_function=os.link)
        return place

    def run(self, place: Path, tests: list[str]) -> Outcome:
        """Run tests on a copy."""
        report, output = place / "report.xml", place / "output"
        words = ["-q", *PLUGINS, f"--junitxml={report}", *tests]
        asked = {"folder": str(place), "words": words, "output": str(output), "seconds": SECONDS}
        runner = self.runners.get()
        try:
            print(json.dumps(asked), file=runner.stdin, flush=True)
            code = int(runner.stdout.readline())
        finally:
            self.runners.put(runner)
        assert code in {0, 1}, (code, output.read_text())
        assert report.exists(), output.read_text()
        return Outcome(list(read_cases(report)), output.read_text())

    def try_fault(self, fault: Fault) -> Outcome:
        """Run the fault's tests on a copy that has it."""
        place = self.copy(fault.name)
        file = place / fault.file
        text = break_text(file.read_text(encoding="utf-8"), fault)
        file.unlink()  # it is one with the others
        file.write_text(text, encoding="utf-8")
        return self.run(place, list(fault.tests))


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder without what no test of the table needs."""
    shutil.copytree(source, target, ignore=LEFT)


def break_text(text: str, fault: Fault) -> str:
    """The text with the fault.

    Raises:
        AssertionError: the table is not true any more.
    """
    before, after, rest = text.partition(fault.after) if fault.after else ("", "", text)
    assert not fault.after or (after and fault.after not in rest), f"{fault.file} has not once: {fault.after}"
    count = rest.count(fault.right)
    assert count == 1 or (count and fault.after), (
        f"{fault.file} has {count} times, where it is to be once: {fault.right}"
    )
    return before + after + rest.replace(fault.right, fault.broken, 1)


def read_cases(report: Path) -> Iterator[Case]:
    """The tests of a report, named as pytest takes them."""
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 -- pytest has written it
        failures = [*case.iter("failure"), *case.iter("error")]
        why = "; ".join(f"{each.tag}: {each.get('message')}" for each in failures)
        yield f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}", why


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Iterator[Bench]:
    """All share one PostgreSQL, and each makes a database in it."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        POSTGRES: postgres,
    }
    command = [sys.executable, Path(__file__).with_name("forking.py")]
    bench = Bench(tmp_path_factory.mktemp("mutants"), Queue())
    shutil.rmtree(bench.copy("first"))
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            pipe = subprocess.PIPE
            runner = stack.enter_context(subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, text=True))
            bench.runners.put(runner)
        yield bench


@pytest.fixture(scope="module")
def outcomes(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Callable[[Fault], Outcome]]:
    """The outcome of a fault; all that this run is to try are tried beside each other."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried: dict[Fault, Future[Outcome]] = {}
        for item in request.session.items:
            fault = item.callspec.params.get("fault") if hasattr(item, "callspec") else None
            if fault is not None:
                tried[fault] = pool.submit(bench.try_fault, fault)
        yield lambda fault: tried[fault].result()
        pool.shutdown(cancel_futures=True)


def test_the_table_is_well_formed() -> None:
    assert len(FAULTS) == 32
    assert max(Counter(fault.name for fault in FAULTS).values()) == 1
    for fault in FAULTS:
        assert fault.tests
        assert fault.right != fault.broken
        break_text((ROOT / fault.file).read_text(encoding="utf-8"), fault)


def test_a_line_that_is_not_there_is_told() -> None:
    fault = Fault(name="x", means="x", file="y.py", right="not here", broken="x", tests=("z",))
    with pytest.raises(AssertionError, match=r"y\.py has 0 times, where it is to be once: not here"):
        break_text("something else", fault)
    with pytest.raises(AssertionError, match=r"y\.py has 2 times"):
        break_text("not here, not here", fault)


def test_unbroken_code_passes(bench: Bench) -> None:
    tests = sorted({test for fault in FAULTS for test in fault.tests})
    outcome = bench.run(bench.copy("unbroken"), tests)
    assert {why for test in tests for why in outcome.of(test)} == {""}, outcome.output
    assert all(outcome.of(test) for test in tests), outcome.output


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_test_notices(fault: Fault, outcomes: Callable[[Fault], Outcome]) -> None:
    outcome = outcomes(fault)
    for test in fault.tests:
        failures = [why for why in outcome.of(test) if why]
        assert failures, f"{test} passes though {fault.name}: {fault.means}\n{outcome.output}"
        for why in failures:
            assert BY_ASSERTION.match(why.removeprefix("failure: ")), f"{test} did not fail by itself: {why}"
