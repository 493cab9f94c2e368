"""stack.yml is what faas-cli, OpenFaaS's Community Edition and Kubernetes take; they don't say what they pass over."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.errors import InvalidStack
from infra.images.contexts import RECIPES
from infra.stack import Function, read_stack

ROOT = Path(__file__).parents[2]
STACK = read_stack(ROOT / "stack.yml", {})
MOST_FUNCTIONS, MOST_COPIES = 15, 5
"""Of the Community Edition (faas-netes, pkg/handlers)."""
EDITION_LABELS = {"com.openfaas.scale.min", "com.openfaas.scale.max"}
"""And com.openfaas.scale.factor, with which every call is answered with 404 if it is 0."""
KNATIVE_SECONDS = 600
"""The longest that Knative lets a call take by default."""
NAME = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
FUNCTION_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
CPU, MEMORY = re.compile(r"\d+m?"), re.compile(r"\d+[MG]i")
MIB = {"Mi": 1, "Gi": 1024}


@pytest.fixture(params=STACK.functions)
def name(request: pytest.FixtureRequest) -> str:
    """Each function's name."""
    return str(request.param)


@pytest.fixture
def function(name: str) -> Function:
    """Its entry."""
    return STACK.functions[name]


def seconds(text: str) -> int:
    """A duration as the watchdog reads it."""
    parts = re.findall(r"(\d+)([ms])", text)
    assert "".join(number + unit for number, unit in parts) == text
    return sum(int(number) * {"m": 60, "s": 1}[unit] for number, unit in parts)


def test_the_community_edition_takes_so_many_functions() -> None:
    assert len(STACK.functions) <= MOST_FUNCTIONS
    assert not [path for path in ROOT.glob("stack.y*ml") if path.name != "stack.yml"], "faas-cli reads stack.yaml first"


def test_what_is_copied_into_images_is_there_and_inside() -> None:
    assert STACK.configuration.copy_
    for path in STACK.configuration.copy_:
        assert (ROOT / path).is_dir()
        assert (ROOT / path).resolve().is_relative_to(ROOT)


def test_templates_are_found_where_faas_cli_looks(function: Function) -> None:
    assert (ROOT / "template" / function.lang / "template.yml").is_file()
    assert (ROOT / function.handler / "handler.py").is_file()


def test_names_labels_and_annotations_are_what_kubernetes_takes(name: str, function: Function) -> None:
    assert FUNCTION_NAME.fullmatch(name)
    assert name not in RECIPES
    assert all(NAME.fullmatch(key) for key in [*function.labels, *function.annotations])
    assert all(LABEL_VALUE.fullmatch(value) for value in function.labels.values())
    assert "," not in function.annotations.get("topic", "")


def test_labels_are_those_of_the_community_edition(function: Function) -> None:
    scaling = {key: value for key, value in function.labels.items() if key.startswith("com.openfaas.")}
    assert set(scaling) <= EDITION_LABELS
    assert all(1 <= int(value) <= MOST_COPIES for value in scaling.values())


def test_a_function_has_one_secret_of_its_own(name: str, function: Function) -> None:
    assert function.secrets == [f"countermark-{name}"]


def test_a_copy_asks_for_no_more_than_it_may_have(function: Function) -> None:
    assert function.readonly_root_filesystem
    for resources in (function.requests, function.limits):
        assert CPU.fullmatch(resources.cpu)
        assert MEMORY.fullmatch(resources.memory)
    assert cores(function.requests.cpu) <= cores(function.limits.cpu)
    assert mebibytes(function.requests.memory) <= mebibytes(function.limits.memory)


def test_time_outs_agree_with_each_other_and_with_both_platforms(function: Function) -> None:
    environment = function.environment
    limit = seconds(environment["exec_timeout"])
    assert limit <= KNATIVE_SECONDS
    assert limit < seconds(environment["write_timeout"]) == seconds(environment["read_timeout"])
    assert 0 < seconds(environment["healthcheck_interval"]) <= 10
    assert function.exec_seconds == limit


def test_images_are_named_by_registry_and_tag() -> None:
    stack = read_stack(ROOT / "stack.yml", {"REGISTRY": "ghcr.io/someone", "TAG": "1.2"})
    assert {name: function.image for name, function in stack.functions.items()} == {
        name: f"ghcr.io/someone/{name}:1.2" for name in stack.functions
    }
    assert all(function.image == f"countermark/{name}:latest" for name, function in STACK.functions.items())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"readonly_rootfs": True}, "readonly_rootfs"),
        ({"environment": {"max_inflight": 4}}, "max_inflight"),
        ({"labels": ["a=b"]}, "labels"),
        ({"build_args": ["A=b"]}, "build_args"),
        ({"limits": {"memory": "1Gi", "gpu": "1"}}, "gpu"),
    ],
)
def test_what_faas_cli_would_pass_over_or_take_for_something_else_is_told(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    content = yaml.safe_load((ROOT / "stack.yml").read_text())
    content["functions"]["upload"] |= change
    path = tmp_path / "stack.yml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InvalidStack, match=rf"functions\.upload.*\.{told}: "):
        read_stack(path, {})


def cores(text: str) -> float:
    """Of a CPU quantity."""
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def mebibytes(text: str) -> int:
    """Of a memory quantity."""
    return int(text[:-2]) * MIB[text[-2:]]
