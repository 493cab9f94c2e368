"""OpenFaaS's programs are found where they may be, and what is missing is told in a line with where to get it."""

from pathlib import Path

import pytest

from tests.openfaas.programs import program, why_not


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An empty OPENFAAS_BIN and an empty PATH."""
    own, path = tmp_path / "own", tmp_path / "path"
    own.mkdir()
    path.mkdir()
    monkeypatch.setenv("OPENFAAS_BIN", str(own))
    monkeypatch.setenv("PATH", str(path))
    return own, path


def test_a_program_comes_from_its_folder_or_from_the_path(folders: tuple[Path, Path]) -> None:
    own, path = folders
    (path / "faas-cli").touch(mode=0o755)
    assert program("faas-cli") == str(path / "faas-cli")
    (own / "faas-cli").touch(mode=0o755)
    assert program("faas-cli") == str(own / "faas-cli")
    (own / "fwatchdog").touch(mode=0o755)
    assert program("of-watchdog") == str(own / "fwatchdog")
    assert why_not("faas-cli", "of-watchdog") == ""


@pytest.mark.usefixtures("folders")
def test_those_that_are_missing_are_told_in_one_line() -> None:
    assert why_not("of-watchdog", "gateway") == (
        "not on PATH or in OPENFAAS_BIN: of-watchdog (https://github.com/openfaas/of-watchdog/releases), "
        "gateway (the image ghcr.io/openfaas/gateway)"
    )
