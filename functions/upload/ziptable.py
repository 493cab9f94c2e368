"""The table of contents of a ZIP, in which a record that can't be read is no reason to give up the others."""

import errno
import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from countermark.http.problems import Problem, TooMany

RECORD = b"PK\x01\x02"
"""How the record of an entry begins in the table of contents."""
RECORD_BYTES = 46
"""What comes before its name, extra fields and comment, whose lengths are at ``LENGTHS``."""
LENGTHS = struct.Struct("<HHH")
LENGTHS_AT = 28
END = struct.Struct("<4s4H2LH")
"""The end of a ZIP, which says where its table of contents is."""

MAX_TABLE_BYTES = 32 * 1024 * 1024
"""The largest table of contents that is read: all of it is in memory at once."""
MAX_USELESS = 1000
"""With folders and leftovers there may be so many more entries than files are allowed, and four times those."""


class BrokenZip(zipfile.BadZipFile):
    """The ZIP can't be read at all; the text is a sentence for the one who sent it."""


class BrokenEntry(zipfile.BadZipFile):
    """This entry can't be read, others may be; the text is a sentence for the one who sent it."""


WITH_PASSWORD = "It is protected by a password in the ZIP."  # noqa: S105 -- a sentence
DAMAGED = "It is damaged in the ZIP."


@contextmanager
def told_as(kind: type[BrokenZip] | type[BrokenEntry]) -> Iterator[None]:
    """Turn whatever comes out of unpacking into one error; problems of ours and a broken disk are not the ZIP's."""
    try:
        yield
    except (Problem, BrokenZip, BrokenEntry):
        raise
    except Exception as error:  # zipfile and what it calls raise a dozen kinds, and more with every version
        if isinstance(error, OSError) and error.errno == errno.EIO:
            raise
        raise kind(_of_the_zip(error) if kind is BrokenZip else _of_the_entry(error)) from error


def _of_the_zip(error: Exception) -> str:
    if isinstance(error, NotImplementedError):
        return "The ZIP is of a kind that can't be read here. Make it again with another program."
    return "The ZIP is damaged or incomplete: its table of contents can't be read."


def _of_the_entry(error: Exception) -> str:
    match error:
        case NotImplementedError():
            return "It is packed in a way that can't be read here. Make the ZIP again with another program."
        case UnicodeError():
            return "Its name in the ZIP is damaged."
        case RuntimeError() if not isinstance(error, RecursionError):
            return WITH_PASSWORD
        case _:
            return DAMAGED


def open_zip(file: IO[bytes], limit: int) -> tuple[zipfile.ZipFile, dict[int, tuple[str, str]]]:
    """The ZIP; and the entries whose records can't be read, name and reason by the place in its list.

    zipfile gives up on the whole list when one record is wrong. Then each is tried alone.

    Raises:
        BrokenZip: it can't be read.
        TooMany: it has so many entries that not all of them can be folders or leftovers beside ``limit`` files.
    """
    with told_as(BrokenZip):
        return _listed(_Table(file, limit))


def _listed(table: "_Table") -> tuple[zipfile.ZipFile, dict[int, tuple[str, str]]]:
    broken: dict[int, tuple[str, str]] = {}
    try:
        archive = zipfile.ZipFile(table)
    except (Problem, BrokenZip):
        raise
    except Exception:
        if not table.seen:
            raise
        table.instead, broken = _without_broken(table.seen)
        archive = zipfile.ZipFile(table)
    table.is_open = True
    return archive, broken


class _Table:
    """The file as zipfile reads it, and in it the table of contents, which comes in one piece."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._most = file, limit * 4 + MAX_USELESS
        self.seen = self.instead = b""
        """What was read, and what is to be read in its place."""
        self.is_open = False
        """From then on entries are read."""
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        if self.is_open:
            return self._file.read(size)
        if size > MAX_TABLE_BYTES:
            raise BrokenZip("The ZIP's table of contents is too large.")
        data = self._file.read(size)
        if not data.startswith(RECORD):
            return data
        if data.count(RECORD) > self._most:
            raise TooMany(f"The ZIP has more than {self._most} entries.")
        self.seen = data
        return self.instead or data


def _without_broken(table: bytes) -> tuple[bytes, dict[int, tuple[str, str]]]:
    """A table of contents of the same length in which empty records stand for those that can't be read."""
    records: list[bytes] = []
    broken: dict[int, tuple[str, str]] = {}
    at = 0
    while table.startswith(RECORD, at) and at + RECORD_BYTES <= len(table):
        end = at + RECORD_BYTES + sum(LENGTHS.unpack_from(table, at + LENGTHS_AT))
        record = table[at:end]
        try:
            with told_as(BrokenEntry):
                zipfile.ZipFile(io.BytesIO(record + END.pack(b"PK\5\6", 0, 0, 1, 1, len(record), 0, 0))).close()
        except BrokenEntry as error:
            length, *_ = LENGTHS.unpack_from(record, LENGTHS_AT)
            name = record[RECORD_BYTES : RECORD_BYTES + length].decode("utf-8", "replace")
            broken[len(records)] = name, str(error)
            record = _empty(len(record))
        records.append(record)
        at = end
    return b"".join(records) + table[at:], broken


def _empty(size: int) -> bytes:
    """A record of an empty file that is so long: the rest of it is a name, and a comment when that is too long."""
    rest = size - RECORD_BYTES
    lengths = LENGTHS.pack(min(rest, 0xFFFF), 0, min(max(rest - 0xFFFF, 0), 0xFFFF))
    return RECORD.ljust(LENGTHS_AT, b"\0") + lengths + bytes(RECORD_BYTES - LENGTHS_AT - len(lengths)) + b"x" * rest
