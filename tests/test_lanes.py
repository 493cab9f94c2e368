"""Tests that run at the same time keep to their lanes."""

import os
from types import SimpleNamespace

import pytest

from infra.project import ROOT
from tests.conftest import LONG, lane_of


def test_a_test_without_a_platform_is_in_the_lane_of_its_module(request: pytest.FixtureRequest) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("tests run one after the other")
    assert request.node.nodeid.endswith("@tests/test_lanes.py")


@pytest.mark.parametrize(
    ("module", "fixtures", "lane"),
    [
        ("tests/system/test_a.py", ["platform"], "platform"),
        ("tests/web/test_a.py", ["visitor", "platform"], "web"),
        ("tests/system/test_a.py", ["platform", "workshop"], "workshop"),
        ("tests/engine/test_a.py", ["tmp_path"], "tests/engine/test_a.py"),
    ],
)
def test_who_shares_a_platform_is_in_its_lane(
    module: str, fixtures: list[str], lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = SimpleNamespace(nodeid=f"{module}::test", fixturenames=fixtures)
    monkeypatch.setattr(pytest, "Function", SimpleNamespace)
    assert lane_of(item) == lane  # type: ignore[arg-type]


def test_long_lanes_are_modules_that_there_are() -> None:
    assert [module for module in LONG if not (ROOT / module).exists()] == []
