"""A ZIP is made while it is read, and is whole or breaks off with the error that was the reason."""

import io
import random
import shutil
import subprocess
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from functions.archive.zip import REPORT_NAME, Entry, WrongSize, ZipStream, zip_stream

NOW = datetime(2026, 11, 27, 9, 30, 16, tzinfo=UTC)
REPORT = b'{"total": 0}'
MIB = 1024 * 1024
ZEROS = bytes(MIB)
GIB_4 = 4 * 1024 * MIB


class BrokenError(Exception):
    """What goes wrong in the middle."""


def entry(name: str, *chunks: bytes) -> Entry:
    return Entry(name=name, size=sum(map(len, chunks)), open=lambda: iter(chunks))


def breaking() -> Iterator[bytes]:
    yield b"begin"
    raise BrokenError


def whole(stream: ZipStream, size: int = MIB) -> bytes:
    """All of it, and each piece but the last as long as was asked for."""
    pieces = list(iter(lambda: stream.read(size), b""))
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    return b"".join(pieces)


@pytest.mark.parametrize("size", [1, 7, 4096, MIB])
def test_what_was_given_is_read_back(size: int) -> None:
    files = {"a.jpg": b"one", "день 1/Ночь на море.jpg": b"two" * 5000, "🌄.png": b"", "é.jpg": b"4"}
    entries = [entry(name, data[:10], data[10:]) for name, data in files.items()]
    raw = whole(zip_stream(entries, [REPORT], NOW), size)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == files | {REPORT_NAME: REPORT}
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (2026, 11, 27, 9, 30, 16)
            assert info.filename.isascii() or info.flag_bits & 0x800


def test_a_job_without_images_has_its_report() -> None:
    with zipfile.ZipFile(io.BytesIO(whole(zip_stream([], [REPORT], NOW)))) as archive:
        assert archive.namelist() == [REPORT_NAME]


@pytest.mark.parametrize("year", [1, 1970, 3000])
def test_a_year_that_a_zip_cannot_tell_is_the_nearest_that_it_can(year: int) -> None:
    raw = whole(zip_stream([entry("a", b"1")], [REPORT], NOW.replace(year=year)))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.infolist()[0].date_time[0] == (1980 if year < 1980 else 2107)


@pytest.mark.parametrize(
    ("open_", "size", "error"),
    [
        (breaking, 10, BrokenError),
        (lambda: iter([b"short"]), 6, WrongSize),
        (lambda: iter([b"long"]), 3, WrongSize),
        (lambda: iter([b"1", b"2"]), 1, WrongSize),
    ],
)
def test_an_entry_that_breaks_or_is_not_as_long_as_was_said_ends_the_whole(
    open_: Callable[[], Iterator[bytes]], size: int, error: type[Exception]
) -> None:
    stream = zip_stream([entry("a", b"1"), Entry(name="b", size=size, open=open_), entry("c", b"3")], [REPORT], NOW)
    with pytest.raises(error):
        whole(stream, 1)
    assert stream.read(100) == b""


def test_an_entry_is_opened_when_its_turn_comes_and_closed_after_it() -> None:
    seen: list[str] = []

    def reading(name: str) -> Iterator[bytes]:
        seen.append(f"open {name}")
        try:
            yield b"x" * 100
            yield b"y" * 100
        finally:
            seen.append(f"close {name}")

    entries = [Entry(name=name, size=200, open=lambda name=name: reading(name)) for name in ("a", "b", "c")]  # type: ignore[misc]
    stream = zip_stream(entries, [REPORT], NOW)
    assert seen == []
    stream.read(300)
    assert seen == ["open a", "close a", "open b"]
    stream.close()
    assert seen == ["open a", "close a", "open b", "close b"]


@pytest.mark.skipif(not shutil.which("unzip"), reason="there is no unzip")
def test_unzip_reads_it(tmp_path: Path) -> None:
    names = ["Ночь/на море.jpg", "a (2).jpg", "é.jpg"]
    (tmp_path / "a.zip").write_bytes(whole(zip_stream([entry(name, name.encode()) for name in names], [REPORT], NOW)))
    subprocess.run(["unzip", "-q", "a.zip"], cwd=tmp_path, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin"})
    assert {name: (tmp_path / name).read_text() for name in names} == {name: name for name in names}


@pytest.mark.slow
def test_what_is_larger_than_32_bits_can_tell_is_read_back(tmp_path: Path) -> None:
    """On a disk that keeps no zeros: one entry over 4 GiB, and others behind it."""
    count = GIB_4 // MIB + 3
    large = Entry(name="large", size=count * MIB, open=lambda: iter([ZEROS] * count))
    stream = zip_stream([entry("first", b"1"), large, entry("last", b"2")], [REPORT], NOW)
    with (tmp_path / "large.zip").open("w+b") as file:
        while piece := stream.read(MIB):
            if piece == ZEROS:
                file.seek(len(piece), io.SEEK_CUR)
            else:
                file.write(piece)
        with zipfile.ZipFile(file) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            assert sizes == {"first": 1, "large": count * MIB, "last": 1, REPORT_NAME: len(REPORT)}
            assert archive.getinfo("last").header_offset > GIB_4
            assert (archive.read("first"), archive.read("last"), archive.read(REPORT_NAME)) == (b"1", b"2", REPORT)
            with archive.open("large") as read:
                assert read.read(MIB) == ZEROS


@pytest.mark.slow
def test_there_can_be_more_files_than_16_bits_can_tell() -> None:
    raw = whole(zip_stream((entry(f"{number}", b"") for number in range(65_600)), [REPORT], NOW))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert len(archive.infolist()) == 65_601


def test_it_takes_the_memory_of_a_chunk_and_little_time() -> None:
    data = random.Random(1).randbytes(MIB)
    entries = [Entry(name=f"{number}.jpg", size=3 * MIB, open=lambda: iter([data] * 3)) for number in range(100)]
    tracemalloc.start()
    stream = zip_stream(entries, [REPORT], NOW)
    started = time.process_time()
    while stream.read(8 * MIB):
        pass
    seconds = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * MIB
    assert seconds < 100 * 0.01
