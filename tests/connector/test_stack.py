"""stack.yml tells the connector who gets which messages."""

from pathlib import Path

import pytest

from infra.connector.stack import InvalidStack, read_stack

STACK = Path(__file__).parents[2] / "stack.yml"


def write(folder: Path, function: str) -> Path:
    path = folder / "stack.yml"
    path.write_text(f"functions:\n  f:\n    handler: ./f\n{function}")
    return path


def test_the_projects_own_stack_subscribes_every_subject_once() -> None:
    subscriptions, schedules = read_stack(STACK)
    assert {item.function: item.topic for item in subscriptions} == {
        "watermark": "objects.created.*",
        "archive": "jobs.complete",
        "expire": "jobs.expired",
        "reconcile": "reconcile.*",
    }
    assert [(item.subject, item.every) for item in schedules] == [("reconcile.all", "@every 30s")]


@pytest.mark.parametrize(
    ("text", "seconds"), [("45", 45.0), ("30s", 30.0), ("2m", 120.0), ("1h30m", 5400.0), ("500ms", 0.5)]
)
def test_durations_are_read_as_the_watchdog_reads_them(tmp_path: Path, text: str, seconds: float) -> None:
    path = write(tmp_path, f"    environment: {{exec_timeout: '{text}'}}\n    annotations: {{topic: a}}\n")
    assert read_stack(path)[0][0].seconds == seconds


def test_a_message_is_posted_again_only_where_the_stack_says_so(tmp_path: Path) -> None:
    assert read_stack(write(tmp_path, "    annotations: {topic: a}\n"))[0][0].patience is None
    path = write(tmp_path, "    annotations: {topic: a, countermark/post-again: 20s}\n")
    assert read_stack(path)[0][0].patience == 20.0


@pytest.mark.parametrize(
    "function",
    [
        "    environment: {exec_timeout: soon}\n    annotations: {topic: a}\n",
        "    annotations: {topic: a, countermark/concurrency: many}\n",
        "   bad: [\n",
    ],
)
def test_a_wrong_stack_is_named(tmp_path: Path, function: str) -> None:
    path = write(tmp_path, function)
    with pytest.raises(InvalidStack, match=str(path)):
        read_stack(path)


def test_a_missing_stack_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidStack, match="nowhere"):
        read_stack(tmp_path / "nowhere.yml")
