"""Tests that run at the same time keep to their lanes."""

import os

import pytest


def test_a_test_without_a_platform_is_in_the_lane_of_its_module(request: pytest.FixtureRequest) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("tests run one after the other")
    assert request.node.nodeid.endswith("@tests/test_lanes.py")
