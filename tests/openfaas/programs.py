"""OpenFaaS's own programs. Nobody builds them here: they come from PATH, or from the folder OPENFAAS_BIN."""

import os
import shutil

import pytest

MAKERS = {
    "of-watchdog": "https://github.com/openfaas/of-watchdog/releases",
    "faas-cli": "https://github.com/openfaas/faas-cli/releases",
    "gateway": "the image ghcr.io/openfaas/gateway",
}
"""Where each is published."""
NAMES = {"of-watchdog": ("of-watchdog", "fwatchdog")}
"""In its image of-watchdog has another name."""


def program(name: str) -> str | None:
    """The path of a program, if it is there."""
    places = os.pathsep.join(filter(None, (os.environ.get("OPENFAAS_BIN"), os.environ["PATH"])))
    found = (shutil.which(each, path=places) for each in NAMES.get(name, (name,)))
    return next(filter(None, found), None)


def why_not(*names: str) -> str:
    """Which of some programs are missing, and where they are published; empty when all are there."""
    missing = [f"{name} ({MAKERS[name]})" for name in names if program(name) is None]
    return f"not on PATH or in OPENFAAS_BIN: {', '.join(missing)}" if missing else ""


def program_or_skip(name: str) -> str:
    """The path of a program; where it is missing the test is skipped, with the reason."""
    found = program(name)
    if found is None:
        pytest.skip(why_not(name))
    return found
