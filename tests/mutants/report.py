"""What was tried and what came of it, as a page: tests/mutants/report.md."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.mutants.living import REASONS

REPORT = Path(__file__).with_name("report.md")
UNKNOWN = "Nobody has said why yet"
HEAD = """\
# Mutants

Written by `{command}` on {date}. mutmut breaks a function in one place, and the tests that come to this function are
run until one fails. Of {total} mutants {tried} were tried{evenly}: **{killed} were killed ({percent:.1f} %)**,
{timeout} more did not end in time, and {lives} live.

What it can't reach: SQL, and with it most of what is decided in the database, whose lines are broken by hand in
[faults.py](faults.py); what is outside of functions (constants, classes of data); and functions with a decorator, such
as properties and contexts. The tests that run the connector as a program of its own have no part in it, and neither
have those of any order of events and those on the running platform, which notice more: what lives here lives among the
quick tests only.

| module | mutants | tried | killed | living | timed out |
|---|---:|---:|---:|---:|---:|
"""


def write_report(results: Path, share: str) -> str:
    """Write the page. Returns one line of it."""
    chosen = json.loads(results.with_name("chosen.json").read_text())
    known = json.loads(results.read_text())
    tried = {name for names in chosen["chosen"].values() for name in names if is_known(known, name)}
    outcomes = {name: outcome for name, outcome in known.items() if name in tried}
    tally: dict[str, Counter[str]] = {path: Counter() for path in chosen["totals"]}
    for outcome in outcomes.values():
        tally[outcome["path"]][state_of(outcome)] += 1
    sums = sum(tally.values(), Counter())
    total = sum(chosen["totals"].values())
    head = HEAD.format(
        command="make test-mutants" + (f" SHARE={share}" if share != "1" else ""),
        date=datetime.now(UTC).date(),
        total=f"{total:,}",
        tried=sums.total(),
        evenly="" if sums.total() == total else ", as many of each module as there was time for",
        percent=100 * sums["killed"] / max(1, sums.total()),
        **{state: sums[state] for state in ("killed", "timeout", "lives")},
    )
    rows = [
        f"| {shown(path)} | {chosen['totals'][path]} | {count.total()} | {count['killed']} | {count['lives']} | "
        f"{count['timeout']} |\n"
        for path, count in tally.items()
    ]
    living = {name: outcome for name, outcome in outcomes.items() if state_of(outcome) == "lives"}
    REPORT.write_text(head + "".join(rows) + "\n## The living\n" + list_living(living), encoding="utf-8")
    return f"{sums['killed']} of {sums.total()} were killed, {sums['lives']} live: {REPORT}"


def is_known(outcomes: Mapping[str, Mapping[str, Any]], name: str) -> bool:
    """Whether it was tried; on a busy machine some fail once only, and nothing is known of them."""
    return name in outcomes and outcomes[name]["status"] != "unsure"


def state_of(outcome: Mapping[str, Any]) -> str:
    """Killed, timeout, or lives; what no test comes to lives as well."""
    status: str = outcome["status"]
    return status if status in {"killed", "timeout"} else "lives"


def list_living(living: Mapping[str, Mapping[str, Any]]) -> str:
    """Those that live, each reason with its mutants."""
    groups = defaultdict(list)
    for name, outcome in living.items():
        where = f"{shown(outcome['path'])}, `{function_of(name)}`"
        change = change_of(outcome["change"])
        note = " (no test comes to it)" if outcome["status"] == "no test" else ""
        groups[reason_of(f"{shown(outcome['path'])}: {change}")].append(f"- {where}: {change}{note}\n")
    order = [*dict.fromkeys(REASONS.values()), UNKNOWN]
    return "".join(f"\n{reason}:\n\n{''.join(groups[reason])}" for reason in order if reason in groups)


def reason_of(change: str) -> str:
    """Why a change is not noticed."""
    return next((why for pattern, why in REASONS.items() if re.search(pattern, change)), UNKNOWN)


def function_of(name: str) -> str:
    """The name of the broken function."""
    return re.sub(r"^x[_ǁ]|__mutmut_\d+$", "", name.rpartition(".")[2]).replace("ǁ", ".")


def change_of(diff: str) -> str:
    """What was replaced by what, on one line."""
    lines = diff.splitlines()[2:]
    sides = [" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"]
    return " → ".join(f"`{side}`" if side else "nothing" for side in sides)


def shown(path: str) -> str:
    """The path as it is in the project."""
    return path.replace("src/", "functions/", 1)
