"""A ZIP of images, unpacked behind limits. Whatever is wrong with it or with an entry is an error of just that."""

import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import IO, Protocol

from countermark.http.problems import TooMany
from countermark.names import is_leftover

from .unpack import Packed, open_entry
from .ziptable import DAMAGED, WITH_PASSWORD, BrokenEntry, BrokenZip, open_zip, told_as

__all__ = ["MAGIC", "BrokenEntry", "BrokenZip", "Entry", "Readable", "entries"]

MAGIC = b"PK\x03\x04"
UTF8_FLAG = 0x800
ENCRYPTED_FLAG = 0x1
COPY_BYTES = 1024 * 1024


class Readable(Protocol):
    """Something to read from."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; fewer than asked for only at the end."""

    def close(self) -> None:
        """No more is read; what unpacking keeps is free."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file in a ZIP."""

    name: str
    file: Readable | None
    """Its bytes, to be read before the next entry; ``read`` raises ``BrokenEntry`` when they can't be read further.
    None when they can't be read at all, for the reason that ``wrong`` tells."""
    wrong: str = ""


def entries(file: IO[bytes], *, limit: int) -> Iterator[Entry]:
    """The files in a ZIP, in its order, without folders and what systems leave beside people's files.

    Raises:
        BrokenZip: it can't be read.
        TooMany: it has more than ``limit`` entries.
    """
    archive, broken = open_zip(file, limit)
    with archive:
        infos = [broken.get(place) or _named(info) for place, info in enumerate(archive.infolist())]
        wanted = [each for each in infos if not is_leftover(each[0]) and not _is_link_or_folder(*each)]
        if len(wanted) > limit:
            raise TooMany(f"The ZIP has {len(wanted)} files; {limit} more are allowed.")
        for name, what in wanted:
            if isinstance(what, str):
                yield Entry(name=name, file=None, wrong=what)
            else:
                yield from _entry(archive, name, what)


def _named(info: zipfile.ZipInfo) -> tuple[str, zipfile.ZipInfo | str]:
    """The entry's name, and the entry or why it can't be read."""
    if not info.filename:
        return "", DAMAGED
    if info.flag_bits & ENCRYPTED_FLAG:
        return _name(info), WITH_PASSWORD
    return _name(info), info


def _is_link_or_folder(name: str, info: zipfile.ZipInfo | str) -> bool:
    return name.endswith("/") or (not isinstance(info, str) and stat.S_ISLNK(info.external_attr >> 16))


def _entry(archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> Iterator[Entry]:
    try:
        with told_as(BrokenEntry):
            file = open_entry(archive, info)
    except BrokenEntry as error:
        yield Entry(name=name, file=None, wrong=str(error))
        return
    with closing(file):
        yield Entry(name=name, file=_Bytes(file))


class _Bytes:
    """An entry's bytes."""

    def __init__(self, file: Packed) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        """As many bytes as asked for, fewer at the end; all that are left for -1.

        Raises:
            BrokenEntry: they can't be read.
        """
        pieces: list[bytes] = []
        left = size
        while left:
            with told_as(BrokenEntry):
                piece = self._file.read(COPY_BYTES if left < 0 else min(left, COPY_BYTES))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece) if left > 0 else 0
        return b"".join(pieces)

    def close(self) -> None:
        self._file.close()


def _name(info: zipfile.ZipInfo) -> str:
    """The entry's name. Without the UTF-8 flag it is in the code page of the system that packed it: often UTF-8 all the
    same (macOS), or 866 (Windows in Russian), which zipfile reads as 437."""
    if info.flag_bits & UTF8_FLAG or info.filename.isascii():
        return info.filename
    try:
        raw = info.filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename  # an extra field had it in Unicode
    try:
        return raw.decode()
    except UnicodeDecodeError:
        russian = raw.decode("cp866")
        letters = [letter for letter in russian if not letter.isascii()]
        return russian if all("\u0400" <= letter <= "\u04ff" for letter in letters) else info.filename
