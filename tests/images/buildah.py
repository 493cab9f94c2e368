"""Images built here with buildah from the real Dockerfiles, without a registry.

What stands in for images that come from one:
    python  a Debian with its Python, made by debootstrap, once a machine
    watchdog  a file that says that it is none
    caddy  the same Debian with the Caddy of the wheel
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from infra.images.builder import Builder
from infra.tools.build import cache

DEBIAN = "bookworm"
PACKAGES = "ca-certificates,python3,python3-dev,python3-venv"
STAND_INS = {
    "PYTHON_IMAGE": "localhost/python",
    "WATCHDOG_IMAGE": "localhost/watchdog",
    "CADDY_IMAGE": "localhost/caddy",
}
NEEDED = ("buildah", "debootstrap", "setpriv", "unshare")
MACHINE = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""By which this machine reaches the package registries."""
READ_ONLY = """
root=$1; shift
mkdir -p $root/tmp $root/proc $root/dev
mount --bind $root $root
mount -o remount,ro,bind $root
mount -t tmpfs tmpfs $root/tmp
mount -t proc proc $root/proc
mount --rbind /dev $root/dev
exec setpriv --no-new-privs /usr/sbin/chroot --userspec=10001:10001 $root "$@"
"""
"""As a pod has it: nothing but /tmp can be written, and no right can be gained."""


@dataclass(frozen=True)
class Images:
    """A store of images of its own."""

    folder: Path

    def build(self, context: Path, name: str) -> Path:
        """Build an image as ``python -m infra.images build`` does, and return its root folder."""
        Builder(program="buildah").build(context, f"localhost/{name}", STAND_INS)
        return self.root_of(name)

    def root_of(self, name: str) -> Path:
        """The root folder of a container of the image."""
        return Path(buildah("mount", buildah("from", f"localhost/{name}")))

    def make(self, name: str, base: str, files: dict[str, Path]) -> None:
        """An image of a base and files from here."""
        container = buildah("from", base)
        root = Path(buildah("mount", container))
        for path, source in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, root / path)
        buildah("commit", "--quiet", "--rm", container, f"localhost/{name}")


@contextmanager
def images() -> Iterator[Images]:
    """A store in a temporary folder, with what stands in for images from registries."""
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing or os.geteuid() != 0:
        pytest.skip(f"images are built here as root, with {', '.join(NEEDED)}; missing: {', '.join(missing) or 'root'}")
    folder = Path(tempfile.mkdtemp(prefix="countermark-images-"))
    configuration = folder / "storage.conf"
    configuration.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder / "root"}"\nrunroot = "{folder / "run"}"\n'
    )
    os.environ |= {"CONTAINERS_STORAGE_CONF": str(configuration), "BUILDAH_ISOLATION": "chroot"}
    try:
        own = Images(folder)
        _make_stand_ins(own)
        yield own
    finally:
        buildah("rm", "--all")
        buildah("rmi", "--all", "--force")
        shutil.rmtree(folder)


def _make_stand_ins(own: Images) -> None:
    container = buildah("from", "scratch")
    subprocess.run(["tar", "-xf", str(debian()), "-C", buildah("mount", container)], check=True)
    buildah("commit", "--quiet", "--rm", container, "localhost/python")
    (own.folder / "fwatchdog").write_text("#!/bin/sh\necho 'This stands in for of-watchdog.' >&2\nexit 1\n")
    (own.folder / "fwatchdog").chmod(0o755)
    own.make("watchdog", "scratch", {"fwatchdog": own.folder / "fwatchdog"})
    own.make("caddy", "localhost/python", {"usr/bin/caddy": Path(sys.executable).parent / "caddy"})


def debian() -> Path:
    """A Debian with Python, packed; made once."""
    packed = cache() / f"debian-{DEBIAN}-python.tar"
    if not packed.exists():
        with tempfile.TemporaryDirectory(prefix="countermark-debian-") as folder:
            command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            root = Path(folder)
            (root / "usr/bin/python").symlink_to("python3")
            for path in MACHINE:
                if Path(path).exists():
                    shutil.copy2(path, root / path.lstrip("/"))
            shutil.rmtree(root / "var/cache/apt/archives")
            packed.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["tar", "-cf", f"{packed}.new", "-C", folder, "."], check=True)
        Path(f"{packed}.new").replace(packed)
    return packed


def buildah(*words: str) -> str:
    """What a command of buildah prints."""
    return subprocess.run(["buildah", *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def run(root: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """Run a command in a container's root folder as a pod does: another user, read-only, with no rights."""
    told = [f"{name}={value}" for name, value in environment.items()]
    apart = ["unshare", "--mount", "--pid", "--fork"]
    clean = ["env", "-i", "PATH=/opt/venv/bin:/usr/bin:/bin", *told]
    inside = ["sh", "-c", 'cd /home/app && exec "$@"', "sh", *command] if (root / "bin/sh").exists() else [*command]
    return subprocess.Popen(
        [*apart, *clean, "/bin/sh", "-euc", READ_ONLY, "sh", str(root), *inside],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    """End what `run` has started; a process that has changed its user does not end with its parent."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
    process.communicate(timeout=10)
