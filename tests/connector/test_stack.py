"""stack.yml tells the connector who gets which messages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from countermark.jobs.messages import IMAGES_WAITING, JOBS_COMPLETE, JOBS_EXPIRED, OBJECTS_CREATED, RECONCILE_SWEEP

from infra.connector.stack import InvalidStack, read_stack
from infra.connector.streams import COUNTERMARK, NOTIFICATIONS, SCHEDULES, stream_of

ROOT = Path(__file__).parents[2]
STACK = ROOT / "stack.yml"
SUBJECTS = [IMAGES_WAITING, JOBS_COMPLETE, JOBS_EXPIRED, RECONCILE_SWEEP, OBJECTS_CREATED]


def write(folder: Path, function: str) -> Path:
    path = folder / "stack.yml"
    path.write_text(f"functions:\n  f:\n    handler: ./f\n{function}")
    return path


def test_the_projects_own_stack_subscribes_every_subject_once() -> None:
    subscriptions, schedules = read_stack(STACK)
    assert {item.function: item.topic for item in subscriptions} == {
        "watermark": f"{IMAGES_WAITING}.>",
        "drop": f"{OBJECTS_CREATED}.*",
        "archive": f"{JOBS_COMPLETE}.>",
        "expire": f"{JOBS_EXPIRED}.>",
        "reconcile": "reconcile.>",
    }
    assert [(item.subject, item.every) for item in schedules] == [(RECONCILE_SWEEP, "@every 5s")]


@pytest.mark.parametrize(
    ("text", "seconds"), [("45", 45.0), ("30s", 30.0), ("2m", 120.0), ("1h30m", 5400.0), ("500ms", 0.5)]
)
def test_durations_are_read_as_the_watchdog_reads_them(tmp_path: Path, text: str, seconds: float) -> None:
    path = write(tmp_path, f"    environment: {{exec_timeout: '{text}'}}\n    annotations: {{topic: a}}\n")
    assert read_stack(path)[0][0].seconds == seconds


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


def test_every_subject_belongs_to_a_stream() -> None:
    assert {subject: stream_of(subject) for subject in SUBJECTS} == {
        IMAGES_WAITING: COUNTERMARK,
        JOBS_COMPLETE: COUNTERMARK,
        JOBS_EXPIRED: COUNTERMARK,
        RECONCILE_SWEEP: SCHEDULES,
        OBJECTS_CREATED: NOTIFICATIONS,
    }


def test_a_subject_without_a_stream_ends_the_start_with_one_line(tmp_path: Path) -> None:
    path = write(tmp_path, "    annotations: {topic: nobody.listens}\n")
    environment = {"PATH": os.environ["PATH"], "NATS_URL": "nats://127.0.0.1:1", "STACK_FILE": str(path)}
    ended = subprocess.run([sys.executable, "-m", "infra.connector"], env=environment, cwd=ROOT, capture_output=True)
    assert ended.returncode == 1
    (line,) = ended.stderr.decode().splitlines()
    assert line.startswith("connector: 'nobody.listens' is in no stream")
