"""A ZIP of images, unpacked behind limits."""

import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Protocol

from countermark.http.problems import TooMany
from countermark.names import is_leftover

MAGIC = b"PK\x03\x04"
UTF8_FLAG = 0x800
ENCRYPTED_FLAG = 0x1
COPY_BYTES = 1024 * 1024


class Readable(Protocol):
    """Something to read from."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; fewer than asked for only at the end."""


class BrokenZip(Exception):
    """x"""


class BrokenEntry(Exception):
    """x"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file in a ZIP."""

    name: str
    file: IO[bytes] | None
    """Its bytes; None when they can't be read, for the reason that ``wrong`` tells."""
    wrong: str = ""


@contextmanager
def spooled(head: bytes, rest: Readable) -> Iterator[IO[bytes]]:
    """The bytes as a temporary file on disk: a ZIP's table of contents is at its end."""
    with tempfile.TemporaryFile() as file:
        chunk = head
        while chunk:
            file.write(chunk)
            chunk = rest.read(COPY_BYTES)
        file.seek(0)
        yield file


def entries(file: IO[bytes], *, limit: int) -> Iterator[Entry]:
    """The files in a ZIP, in its order, without folders and what systems leave beside people's files.

    Raises:
        zipfile.BadZipFile: it is no ZIP.
        TooMany: it has more than ``limit`` entries.
    """
    with zipfile.ZipFile(file) as archive:
        infos = [info for info in archive.infolist() if not _is_leftover(info)]
        if len(infos) > limit:
            raise TooMany(f"The ZIP has {len(infos)} files; {limit} more are allowed.")
        for info in infos:
            yield from _entry(archive, info)


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[Entry]:
    name = _name(info)
    if info.flag_bits & ENCRYPTED_FLAG:
        yield Entry(name=name, file=None, wrong="It is protected by a password in the ZIP.")
        return
    try:
        file = archive.open(info)
    except (NotImplementedError, zipfile.BadZipFile) as error:
        yield Entry(name=name, file=None, wrong=f"It can't be read from the ZIP: {error}.")
        return
    with file:
        yield Entry(name=name, file=file)


def _is_leftover(info: zipfile.ZipInfo) -> bool:
    return info.is_dir() or stat.S_ISLNK(info.external_attr >> 16) or is_leftover(info.filename)


def _name(info: zipfile.ZipInfo) -> str:
    """The entry's name. Without the UTF-8 flag it is in the code page of the system that packed it: often UTF-8 all the
    same (macOS), or 866 (Windows in Russian), which zipfile reads as 437."""
    if info.flag_bits & UTF8_FLAG or info.filename.isascii():
        return info.filename
    raw = info.filename.encode("cp437")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        russian = raw.decode("cp866")
        letters = [letter for letter in russian if not letter.isascii()]
        return russian if all("\u0400" <= letter <= "\u04ff" for letter in letters) else info.filename
