"""The command that builds images: whichever builder is there, names as in stack.yml, one line when something is off."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FUNCTIONS = list(yaml.safe_load((ROOT / "stack.yml").read_text())["functions"])
SCRIPT = """#!/bin/sh
echo "$@" >> {told}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project, with a folder build/ of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    for path in ("README.md", "functions", "infra", "pyproject.toml", "stack.yml", "template", "templates", "web"):
        (folder / path).symlink_to(ROOT / path)
    return folder


def run(project: Path, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command with programs of a folder alone."""
    environment = {name: value for name, value in os.environ.items() if name not in {"REGISTRY", "TAG"}}
    return subprocess.run(
        [sys.executable, "-m", "infra.images", *words],
        cwd=project,
        env=environment | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def builder(folder: Path, program: str) -> tuple[str, Path]:
    """A folder with a program that notes how it is called, and the notes."""
    folder.mkdir()
    (folder / program).write_text(SCRIPT.format(told=folder / "told"))
    (folder / program).chmod(0o755)
    return str(folder), folder / "told"


def test_every_context_is_laid_out(project: Path) -> None:
    answer = run(project, "contexts")
    assert answer.returncode == 0, answer.stderr
    folders = [project / line for line in answer.stdout.splitlines()]
    assert [folder.name for folder in folders] == [*FUNCTIONS, "connector", "gateway", "minio"]
    assert all((folder / "Dockerfile").is_file() for folder in folders)


@pytest.mark.parametrize("program", ["docker", "podman", "buildah"])
def test_images_are_built_and_pushed_under_their_names(project: Path, tmp_path: Path, program: str) -> None:
    path, told = builder(tmp_path / "bin", program)
    options = ("--registry", "ghcr.io/someone", "--tag", "1.2", "--build-arg", "PYTHON_IMAGE=python:3.14", "--push")
    answer = run(project, "build", "status", "gateway", *options, path=path)
    assert answer.stdout.splitlines() == ["ghcr.io/someone/status:1.2", "ghcr.io/someone/gateway:1.2"]
    lines = [line for line in told.read_text().splitlines() if line != "info"]
    assert [line.split()[0] for line in lines] == ["build", "push", "build", "push"]
    assert lines[0].endswith("--build-arg=PYTHON_IMAGE=python:3.14 --tag=ghcr.io/someone/status:1.2 build/status")
    assert lines[1] == "push ghcr.io/someone/status:1.2"
    assert ("--format=docker" in lines[0]) == (program != "docker")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("build",), "None of docker, podman, buildah works here"),
        (("contexts", "nothing"), "There is no image nothing; there are upload,"),
        (("contexts", "--stack", "nowhere.yml"), "nowhere.yml"),
    ],
)
def test_what_a_person_can_mend_is_told_in_a_line(project: Path, words: tuple[str, ...], told: str) -> None:
    answer = run(project, *words)
    assert answer.returncode == 1
    assert told in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_builder_that_fails_ends_the_command(project: Path, tmp_path: Path) -> None:
    path, _ = builder(tmp_path / "bin", "docker")
    (tmp_path / "bin" / "docker").write_text('#!/bin/sh\n[ "$1" = info ]\n')
    answer = run(project, "build", "status", path=path)
    assert (answer.returncode, answer.stderr) == (1, "docker build ended with 1.\n")
