"""Breaks functions and runs their tests, with mutmut: started by ``python -m tests.mutants`` in the copy's folder.

It imports nothing of ours: the tests get the broken copy of it. mutmut has written every mutant of a function beside
the function, and a variable says which one is meant; so a process that has imported everything is forked for each.
"""

import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mutmut.__main__ import collect_or_load_stats, create_mutants
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.runners.harness import PytestRunner
from mutmut.state import state
from mutmut.utils.file_utils import (
    change_cwd,
    copy_also_copy_files,
    copy_src_dir,
    setup_source_paths,
    walk_mutatable_files,
)
from mutmut.utils.format_utils import mangled_name_from_mutant_name
from mutmut.workers import isolation
from mutmut.workers.isolation import ForkServerRunner

Outcome = dict[str, Any]
SECONDS_MORE = 10
"""What fixtures may take, beside the time of the tests themselves."""
TIMES = 2
SECONDS_TO_END = 3
HOUR = 3600
FAILED = Path("failed.txt").absolute()
UNBROKEN = "nothing.x_nothing__mutmut_0"
"""What is said to be meant when nothing is to be broken."""


@dataclass(frozen=True)
class Chosen:
    """A part of pytest that leaves some tests, in their order.

    What it takes as an argument names not every test, and a name has more backslashes when it is collected again.
    """

    tests: list[str]

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave only these; one that takes much longer than it did fails."""
        import pytest  # in the process that runs tests

        found = {item.nodeid.replace("\\", ""): item for item in items}
        items[:] = [found[test.replace("\\", "")] for test in self.tests]
        for item, test in zip(items, self.tests, strict=True):
            item.add_marker(pytest.mark.timeout(SECONDS_MORE + TIMES * state().duration_by_test[test]))


class Told:
    """A part of pytest that writes down which tests fail; what has failed may not end by itself."""

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write one down."""
        if report.failed:
            with FAILED.open("a") as file:
                file.write(f"{report.nodeid}\n")
            if os.environ["MUTANT_UNDER_TEST"] not in {"stats", UNBROKEN}:
                end_soon(SECONDS_TO_END)


class Tests(PytestRunner):
    """Runs tests; when their time is over, whatever they have started ends with them."""

    def execute_pytest(self, params: list[str], **more: Any) -> int:
        """Run tests, and write down which fail."""
        return super().execute_pytest(params, plugins=[Told(), *more.get("plugins", [])])

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        """Run them in a group of their own, until one fails; all of them if nothing is broken."""
        from tests import conftest  # the copy's

        os.setpgid(0, 0)
        conftest.own_database = nullcontext  # one at a time has it
        chosen, broken = Chosen(list(tests)), mutant_name != UNBROKEN
        files = dict.fromkeys(test.partition("::")[0] for test in chosen.tests)
        end_soon(2 * SECONDS_MORE + TIMES * sum(state().duration_by_test[test] for test in chosen.tests))
        with change_cwd("mutants"):
            return self.execute_pytest(["-q", *(["-x"] if broken else []), *files], plugins=[chosen])


def end_soon(seconds: float) -> None:
    """End this process and what it has started, if it still runs then."""
    timer = threading.Timer(seconds, os.killpg, (0, signal.SIGKILL))
    timer.daemon = True
    timer.start()


def sample(names: list[str], share: float) -> list[str]:
    """Some of the mutants of a module, the same ones each time: a part of them up to 1, a number of them from 2 on."""
    count = round(len(names) * share) if share <= 1 else round(share)
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:count]


def generate() -> dict[str, list[str]]:
    """Write all mutants. Returns their names by module."""
    set_mutant_under_test("mutant_generation")
    copy_src_dir()
    setup_source_paths()
    with redirect_stdout(None):
        copy_also_copy_files()
        create_mutants(1)
    found: dict[str, list[str]] = {}
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        found[str(path)] = list(data.exit_code_by_key)
    return {path: names for path, names in found.items() if names}


def leave_out_failing(runner: ForkServerRunner) -> None:
    """Try what is not broken: a test that fails then, as on a busy machine, has no part."""
    status, failed = run_tests(runner, UNBROKEN, list(state().duration_by_test))
    failing = {test.replace("\\", "") for test in failed}
    print(f"Unbroken code {status}; left out: {', '.join(sorted(failing)) or 'no test'}", flush=True)
    for tests in state().tests_by_mangled_function_name.values():
        tests -= {test for test in tests if test.replace("\\", "") in failing}


def tests_of(name: str) -> list[str]:
    """The tests that come to the function, the quickest first."""
    tests = state().tests_by_mangled_function_name[mangled_name_from_mutant_name(name)]
    return sorted(tests, key=lambda test: state().duration_by_test[test])


def try_mutant(runner: ForkServerRunner, name: str) -> tuple[str, list[str]]:
    """What became of a mutant, and the tests that noticed. One that takes long to fail has to fail twice."""
    tests = tests_of(name)
    if not tests:
        return "no test", []
    began = time.monotonic()
    status, failed = run_tests(runner, name, tests)
    if status == "killed" and time.monotonic() - began > SECONDS_MORE:
        again, _ = run_tests(runner, name, failed)
        status = status if again == status else "unsure"
    return status, failed


def run_tests(runner: ForkServerRunner, name: str, tests: list[str]) -> tuple[str, list[str]]:
    """Run tests on a mutant."""
    FAILED.write_text("")
    runner.submit(name, tests, HOUR, HOUR)
    ended = runner.wait_for_result().exit_code == 0
    if failed := FAILED.read_text().splitlines():
        return "killed", failed
    return "lives" if ended else "timeout", []


def read_killed(results: Path) -> dict[str, Outcome]:
    """The outcomes of another run that still hold."""
    outcomes: dict[str, Outcome] = json.loads(results.read_text()) if results.exists() else {}
    return {
        name: outcome
        for name, outcome in outcomes.items()
        if outcome["status"] == "killed" and outcome["module"] == digest(Path(outcome["path"]))
    }


def in_turns(chosen: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """The first mutant of each module, then the second of each: a run that is stopped has tried as many of each."""
    for each in zip_longest(*([(path, name) for name in names] for path, names in chosen.items())):
        yield from filter(None, each)


def digest(path: Path) -> str:
    """What says whether a module has changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def main(share: float, results: Path) -> None:
    """Try the mutants of a share."""
    mutants = generate()
    isolation.register_timeout = lambda *_: None  # it may hit another process that has got the number since
    runner = ForkServerRunner(max_workers=1, test_runner_class=Tests, test_runner_args={})
    collect_or_load_stats(runner)
    outcomes = read_killed(results)
    chosen = {path: sample(names, share) for path, names in mutants.items()}
    totals = {path: len(names) for path, names in mutants.items()}
    results.with_name("chosen.json").write_text(json.dumps({"totals": totals, "chosen": chosen}))
    runner.startup()
    leave_out_failing(runner)
    began, tally = time.monotonic(), Counter(outcome["status"] for outcome in outcomes.values())
    for path, name in in_turns(chosen):
        if name not in outcomes:
            status, failed = try_mutant(runner, name)
            change = get_diff_for_mutant(name, path=Path(path))
            told = {"status": status, "by": failed, "change": change}
            outcomes[name] = {"path": path, "module": digest(Path(path)), **told}
            results.write_text(json.dumps(outcomes, indent=1))
            tally[status] += 1
            print(f"{time.monotonic() - began:6.0f} s  {dict(tally)}  {name}: {status}", flush=True)
    runner.signal_work_complete()
    runner.shutdown()


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]))
