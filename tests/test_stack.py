"""stack.yml is read once, strictly, and everything that is wrong is named."""

from pathlib import Path

import pytest

from infra.connector.stack import schedules_of, subscriptions_of
from infra.errors import InvalidStack
from infra.local.plan import copies_of
from infra.stack import Function, Stack, read_stack

ROOT = Path(__file__).parents[1]
STACK = read_stack(ROOT / "stack.yml", {})
ENTRY = "  f:\n    lang: python3-countermark\n    handler: ./f\n    image: f\n"


def read(folder: Path, rest: str = "", **environ: str) -> Stack:
    """A stack with a function f, whose entry goes on with some lines."""
    path = folder / "stack.yml"
    path.write_text(f"provider: {{name: openfaas}}\nfunctions:\n{ENTRY}{rest}")
    return read_stack(path, environ)


def read_function(folder: Path, rest: str = "") -> Function:
    """That function."""
    return read(folder, rest).functions["f"]


def test_every_message_has_a_function_and_no_two_have_the_same() -> None:
    topics = [each.topic.removesuffix(">").removesuffix("*") for each in subscriptions_of(STACK)]
    assert {"objects.created.", "images.waiting.", "jobs.complete.", "jobs.expired.", "reconcile."} == set(topics)
    assert len(topics) == len(set(topics))


def test_functions_that_take_leases_say_so() -> None:
    assert {name for name, function in STACK.functions.items() if function.leases} == {"watermark", "archive"}


def test_what_is_scheduled_comes_to_a_function() -> None:
    for schedule in schedules_of(STACK):
        assert len([1 for each in subscriptions_of(STACK) if schedule.subject.startswith(each.topic.rstrip(">*"))]) == 1


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    function = read_function(tmp_path)
    assert (function.public, function.topic, function.concurrency, function.replicas) == (False, None, 1, 1)
    assert (function.schedule, function.schedule_topic) == (None, None)
    assert (function.exec_seconds, function.max_inflight, function.max_body_bytes) == (30, 4, 104_857_600)


def test_what_is_said_is_read(tmp_path: Path) -> None:
    function = read_function(
        tmp_path,
        "    environment: {exec_timeout: 90s, max_inflight: '2', max_body_bytes: '10'}\n"
        "    annotations: {countermark/public: 'true', topic: a.>, countermark/concurrency: '9',"
        " countermark/schedule: '@every 5s', countermark/schedule-topic: a.b, countermark.local/replicas: cores,"
        " x: y}\n",
    )
    assert (function.public, function.topic, function.concurrency, function.replicas) == (True, "a.>", 9, "cores")
    assert (function.schedule, function.schedule_topic) == ("@every 5s", "a.b")
    assert (function.exec_seconds, function.max_inflight, function.max_body_bytes) == (90, 2, 10)
    assert function.annotations["x"] == "y"


@pytest.mark.parametrize(
    ("text", "seconds"), [("45", 45.0), ("30s", 30.0), ("2m", 120.0), ("1h30m", 5400.0), ("500ms", 0.5)]
)
def test_durations_are_read_as_the_watchdog_reads_them(tmp_path: Path, text: str, seconds: float) -> None:
    assert read_function(tmp_path, f"    environment: {{exec_timeout: '{text}'}}\n").exec_seconds == seconds


def test_names_are_filled_from_the_environment_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "stack.yml"
    path.write_text((ROOT / "stack.yml").read_text())
    assert read_stack(path, {"REGISTRY": "ghcr.io/a", "TAG": ""}).functions["drop"].image == "ghcr.io/a/drop:latest"
    assert read_stack(path, {}).functions["drop"].image == "countermark/drop:latest"


def test_a_function_has_as_many_processes_as_it_says(tmp_path: Path) -> None:
    def names(replicas: str) -> list[str]:
        notes = f"    annotations: {{countermark.local/replicas: '{replicas}'}}\n"
        return copies_of("f", read_function(tmp_path, notes), cores=4)

    assert names("1") == ["f"]
    assert names("3") == ["f-1", "f-2", "f-3"]
    assert len(names("cores")) == 4


@pytest.mark.parametrize(
    ("rest", "key"),
    [
        ("    environment: {exec_timeout: soon}\n", "functions.f.environment.exec_timeout"),
        ("    environment: {exec_timeout: 0s}\n", "functions.f.environment.exec_timeout"),
        ("    environment: {max_inflight: 4}\n", "functions.f.environment.max_inflight"),
        ("    environment: {max_body_bytes: '0'}\n", "functions.f.environment.max_body_bytes"),
        ("    annotations: {countermark/concurrency: many}\n", "functions.f.annotations.countermark/concurrency"),
        ("    annotations: {countermark/schedule: '@every 5s'}\n", "functions.f.annotations"),
        ("    annotations: {countermark.local/replicas: '0'}\n", "functions.f.annotations.countermark.local/replicas"),
        ("    readonly_rootfs: true\n", "functions.f.readonly_rootfs"),
        ("   bad: [\n", ""),
        ("    image: ${REGISTRY\n", ""),
    ],
)
def test_what_is_wrong_is_named_with_its_file_function_and_key(tmp_path: Path, rest: str, key: str) -> None:
    with pytest.raises(InvalidStack) as caught:
        read(tmp_path, rest)
    assert f"{tmp_path / 'stack.yml'}: {key}" in str(caught.value)


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidStack) as caught:
        read(
            tmp_path,
            "    environment: {exec_timeout: soon, max_inflight: few}\n    annotations: {countermark/public: maybe}\n",
        )
    for key in ("environment.exec_timeout", "environment.max_inflight", "annotations.countermark/public"):
        assert f"functions.f.{key}: " in str(caught.value)


def test_a_stack_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidStack, match="nowhere"):
        read_stack(tmp_path / "nowhere.yml", {})
