"""Every subject belongs to a stream."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from countermark.jobs.messages import IMAGES_WAITING, JOBS_COMPLETE, JOBS_EXPIRED, OBJECTS_CREATED, RECONCILE_SWEEP

from infra.connector.streams import COUNTERMARK, DEAD_LETTERS, NOTIFICATIONS, SCHEDULES, UnknownSubject, stream_of
from infra.project import ROOT


@pytest.mark.parametrize(
    ("subject", "stream"),
    [
        (IMAGES_WAITING, COUNTERMARK),
        (JOBS_COMPLETE, COUNTERMARK),
        (JOBS_EXPIRED, COUNTERMARK),
        (RECONCILE_SWEEP, SCHEDULES),
        ("schedules.reconcile.sweep", SCHEDULES),
        (OBJECTS_CREATED, NOTIFICATIONS),
        ("dead.jobs.complete.j.0", DEAD_LETTERS),
        ("images.>", COUNTERMARK),
    ],
)
def test_the_first_part_of_a_subject_says_the_stream(subject: str, stream: str) -> None:
    assert stream_of(subject) == stream


def test_no_other_subject_has_one() -> None:
    with pytest.raises(UnknownSubject, match=r"'image\.waiting' is in no stream"):
        stream_of("image.waiting")


@pytest.mark.parametrize(
    "notes",
    [
        "{topic: nobody.listens}",
        '{topic: jobs.complete.>, countermark/schedule: "@every 5s", countermark/schedule-topic: nobody.listens}',
    ],
)
def test_a_subject_without_a_stream_ends_the_start_with_one_line(tmp_path: Path, notes: str) -> None:
    path = tmp_path / "stack.yml"
    path.write_text(
        "provider: {name: openfaas}\n"
        f"functions:\n  f:\n    lang: x\n    handler: ./f\n    image: f\n    annotations: {notes}\n"
    )
    environment = {"PATH": os.environ["PATH"], "NATS_URL": "nats://127.0.0.1:1", "STACK_FILE": str(path)}
    ended = subprocess.run([sys.executable, "-m", "infra.connector"], env=environment, cwd=ROOT, capture_output=True)
    assert ended.returncode == 1
    (line,) = ended.stderr.decode().splitlines()
    assert line.startswith("connector: 'nobody.listens' is in no stream")
