"""What stack.yml says about messages: which function gets which, and what is published on a schedule."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEFAULT_SECONDS = 30.0
"""What of-watchdog takes for exec_timeout when nothing is said."""
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class InvalidStack(Exception):
    """stack.yml can't be used; the message says where and why."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A function that gets the messages of a subject."""

    function: str
    topic: str
    concurrency: int
    """Messages in flight to all copies of the function together."""
    seconds: float
    """The time that one call may take."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A message that is published again and again."""

    every: str
    """As NATS takes it: ``@every 30s``, or six cron fields."""
    subject: str


def read_stack(path: Path) -> tuple[list[Subscription], list[Schedule]]:
    """Subscriptions and schedules of the functions in a stack file.

    Raises:
        InvalidStack: the file is not there or is wrong.
    """
    try:
        functions: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["functions"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise InvalidStack(f"{path}: {error!r}") from error
    subscriptions, schedules = [], []
    for name, function in functions.items():
        notes = function.get("annotations") or {}
        if "topic" in notes:
            subscriptions.append(
                Subscription(
                    function=name,
                    topic=notes["topic"],
                    concurrency=_concurrency(path, name, notes),
                    seconds=exec_seconds(path, name, function),
                )
            )
        if "countermark/schedule" in notes:
            schedules.append(Schedule(every=notes["countermark/schedule"], subject=notes["countermark/schedule-topic"]))
    return subscriptions, schedules


def _concurrency(path: Path, name: str, notes: dict[str, Any]) -> int:
    try:
        return max(1, int(notes.get("countermark/concurrency", 1)))
    except ValueError as error:
        raise InvalidStack(f"{path}: {name}: countermark/concurrency must be a whole number") from error


def exec_seconds(path: Path, name: str, function: dict[str, Any]) -> float:
    """The function's exec_timeout, in seconds.

    Raises:
        InvalidStack: it is no duration.
    """
    return _duration(path, name, "exec_timeout", function.get("environment") or {}) or DEFAULT_SECONDS


def _duration(path: Path, name: str, key: str, entries: dict[str, Any]) -> float | None:
    """Seconds: of a whole number of them, or of a duration as Go writes it; None when the key is not there."""
    if key not in entries:
        return None
    text = str(entries[key])
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if "".join(number + unit for number, unit in parts) != text:
        raise InvalidStack(f"{path}: {name}: {key} {text!r} is no duration such as 90s or 2m")
    return sum(float(number) * UNITS[unit] for number, unit in parts)
