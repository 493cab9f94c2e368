"""A ZIP that is made while it is read: neither its memory nor a disk grows with the job.

Images are stored, not deflated, for compressed pictures do not shrink. Names are UTF-8.
"""

import zipfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

REPORT_NAME = "report.json"
FIRST_YEAR, LAST_YEAR = 1980, 2107
"""The years that a ZIP can tell."""


class WrongSize(Exception):
    """A file has more or fewer bytes than was said: such a ZIP must not come to its end."""


@runtime_checkable
class Closable(Protocol):
    """Something to be closed, such as a generator."""

    def close(self) -> None:
        """Let go of what it holds."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of the ZIP."""

    name: str
    """A clean name that no other has, neither of them being ``REPORT_NAME``."""
    size: int
    """Its bytes: the ZIP has to say before them whether 32 bits are enough for their number."""
    open: Callable[[], Iterator[bytes]]
    """Begins to read it. The iterator is closed, if it can be, when it is read or something went wrong."""


class ZipStream:
    """What is read from it is the ZIP; an error while a file is read comes out as it is, and is its end."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._left: deque[memoryview] = deque()

    def read(self, size: int, /) -> bytes:
        """The next bytes: as many as asked for, fewer at the end."""
        taken: list[memoryview] = []
        while size:
            if not self._left:
                if (data := next(self._pieces, None)) is None:
                    break
                self._left.append(memoryview(data))
            piece = self._left.popleft()
            taken.append(piece[:size])
            if len(piece) > size:
                self._left.appendleft(piece[size:])
            size -= len(taken[-1])
        return b"".join(taken)

    def close(self) -> None:
        """Let go of the file that is being read."""
        self._pieces.close()


def zip_stream(entries: Iterable[Entry], report: Iterable[bytes], time: datetime) -> ZipStream:
    """A ZIP of some files, one after the other, and at the end the report on them.

    Args:
        report: the content of ``REPORT_NAME``, piece by piece.
        time: what all files are dated with, as the clock on the wall there shows it.

    Raises, in ``read``:
        WrongSize: a file is not as long as was said.
        What an entry's ``open`` or its iterator raises.
    """
    return ZipStream(_pieces(entries, report, time))


class _Sink:
    """A file to write to that keeps what was written until it is taken; it can't seek, so no entry is gone back to."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> Iterator[bytes]:
        pieces, self._pieces = self._pieces, []
        return iter(pieces)


def _pieces(entries: Iterable[Entry], report: Iterable[bytes], time: datetime) -> Generator[bytes, None, None]:
    sink = _Sink()
    year = min(max(time.year, FIRST_YEAR), LAST_YEAR)
    date = (year, time.month, time.day, time.hour, time.minute, time.second)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, date)
            info.file_size = entry.size
            with archive.open(info, "w") as target:
                for chunk in _exactly(entry):
                    target.write(chunk)
                    yield from sink.take()
            yield from sink.take()
        with archive.open(zipfile.ZipInfo(REPORT_NAME, date), "w") as target:
            for piece in report:
                target.write(piece)
                yield from sink.take()
    yield from sink.take()


def _exactly(entry: Entry) -> Iterator[bytes]:
    chunks = entry.open()
    count = 0
    try:
        for chunk in chunks:
            count += len(chunk)
            if count > entry.size:
                break
            yield chunk
    finally:
        if isinstance(chunks, Closable):
            chunks.close()
    if count != entry.size:
        raise WrongSize(f"{entry.size} bytes were said, and there are {'more' if count > entry.size else count}.")
