"""The program that builds: docker, podman or buildah, whichever is there."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.errors import BuildError

BUILDERS = ("docker", "podman", "buildah")


@dataclass(frozen=True, kw_only=True)
class Builder:
    """A program whose command lines are Docker's."""

    program: str

    def build(self, context: Path, image: str, arguments: Mapping[str, str]) -> None:
        """Build an image from a context; what the program says goes to the terminal.

        Raises:
            BuildError: it failed.
        """
        given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        # HEALTHCHECK is Docker's own; podman and buildah leave it out of other formats.
        kind = [] if self.program == "docker" else ["--format=docker", "--layers"]
        self._run("build", *kind, *given, f"--tag={image}", str(context))

    def push(self, image: str) -> None:
        """Send an image to its registry; the program must be logged in there.

        Raises:
            BuildError: it failed.
        """
        self._run("push", image)

    def _run(self, *words: str) -> None:
        code = subprocess.run([self.program, *words], check=False).returncode
        if code:
            raise BuildError(f"{self.program} {words[0]} ended with {code}.")


def find_builder() -> Builder:
    """The first of `BUILDERS` that works here.

    Raises:
        BuildError: none does.
    """
    for program in BUILDERS:
        # Docker's command line may be there without its engine.
        if shutil.which(program) and not subprocess.run([program, "info"], capture_output=True, check=False).returncode:
            return Builder(program=program)
    raise BuildError(f"None of {', '.join(BUILDERS)} works here. Install one of them to build images.")
