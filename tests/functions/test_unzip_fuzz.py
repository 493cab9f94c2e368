"""Damaged ZIPs: nothing comes out but what is wrong, and every good entry beside a broken one is read."""

import io
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import IO

import pytest
from countermark.http.problems import TooMany

from functions.upload.unzip import BrokenEntry, BrokenZip, entries
from functions.upload.ziptable import RECORD, RECORD_BYTES

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
KINDS = [*METHODS, "mixed", "zip64", "streamed", "encrypted", "commented"]
FILES = {
    f"{number} Ночь.jpg" if number % 2 else f"{number}.jpg": random.Random(number).randbytes(300) * 2
    for number in range(5)
}
MIB = 1024 * 1024


class Forward(io.BytesIO):
    """A file that can't seek, so that sizes come after the entries."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation


@cache
def packed(kind: str) -> bytes:
    """A ZIP of ``FILES``."""
    file = Forward() if kind == "streamed" else io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, (name, data) in enumerate(FILES.items()):
            info = zipfile.ZipInfo(name)
            info.compress_type = METHODS.get(kind, [*METHODS.values()][number % 4] if kind == "mixed" else 0)
            if kind == "commented":
                info.comment, info.extra = b"a comment", struct.pack("<HH4s", 0x7777, 4, b"four")
            with archive.open(info, "w", force_zip64=kind == "zip64") as target:
                target.write(data)
        if kind == "commented":
            archive.comment = b"PK\1\2 is how a record begins"
    raw = bytearray(file.getvalue())
    if kind == "encrypted":
        for signature, flags in ((b"PK\3\4", 6), (RECORD, 8)):
            raw[raw.index(signature) + flags] |= 1
    return bytes(raw)


def read(raw: bytes) -> dict[str, bytes | str]:
    """What is read of each entry: its bytes, or why there are none."""
    found: dict[str, bytes | str] = {}
    for entry in entries(io.BytesIO(raw), limit=100):
        name = entry.name if entry.name not in found else f"{entry.name} again"
        if entry.file is None:
            found[name] = entry.wrong
            continue
        try:
            found[name] = b"".join(iter(lambda file=entry.file: file.read(250), b""))  # type: ignore[misc]
        except BrokenEntry as error:
            found[name] = str(error)
    return found


def is_sentence(text: str) -> bool:
    return text[0].isupper() and text.endswith(".") and "Error" not in text


def records(raw: bytes) -> Iterator[tuple[int, int]]:
    """Where the records of the entries begin and end."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        at = archive.start_dir
    while raw.startswith(RECORD, at):
        end = at + RECORD_BYTES + sum(struct.unpack_from("<HHH", raw, at + 28))
        yield at, end
        at = end


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_zip_is_read(kind: str) -> None:
    found = read(packed(kind))
    assert list(found) == list(FILES)
    assert found["1 Ночь.jpg"] == FILES["1 Ночь.jpg"]
    assert found["0.jpg"] == ("It is protected by a password in the ZIP." if kind == "encrypted" else FILES["0.jpg"])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_comes_out_of_a_damaged_zip_but_what_is_wrong(kind: str) -> None:
    whole = packed(kind)
    chance = random.Random(kind)
    for _ in range(600):
        raw = bytearray(whole)
        # Half of the damage goes where it hurts: into the table of contents and what follows it.
        first = chance.choice([0, next(records(whole))[0]])
        for _ in range(chance.choice([1, 1, 2, 5, 20])):
            at = chance.randrange(first, len(raw))
            raw[at] = chance.choice([0, 1, 0xFF, raw[at] ^ 1 << chance.randrange(8), chance.randrange(256)])
        if chance.random() < 0.1:
            del raw[chance.randrange(len(raw)) :]
        if chance.random() < 0.1:
            at = chance.randrange(len(raw) or 1)
            raw[at:at] = raw[: chance.randrange(100)]
        try:
            found = read(bytes(raw))
        except (BrokenZip, TooMany) as error:
            found = {"": str(error)}
        assert all(isinstance(each, bytes) or is_sentence(each) for each in found.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_entry_takes_no_other_with_it(kind: str) -> None:
    whole = packed(kind)
    chance = random.Random(kind)
    good = read(whole)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        starts = [*(info.header_offset for info in archive.infolist()), archive.start_dir]
    tables = list(records(whole))
    for _ in range(400):
        number = chance.randrange(len(FILES))
        raw = bytearray(whole)
        if chance.random() < 0.5:
            where = [*range(starts[number], starts[number + 1])]  # the entry
        else:
            at, end = tables[number]
            # Its record, but for the lengths that lead to the next one, and for where the entry is.
            where = [*range(at + 4, at + 28), *range(at + 34, at + 42), *range(at + RECORD_BYTES, end)]
        for _ in range(chance.choice([1, 3, 10])):
            raw[chance.choice(where)] = chance.choice([0, 0xFF, chance.randrange(256)])
        found = read(bytes(raw))
        for place, name in enumerate(FILES):
            if place != number:
                assert good[name] in found.values()  # the damaged one may have taken its name


def test_an_entry_whose_name_is_damaged_is_told_and_the_others_are_read() -> None:
    raw = packed("stored").replace("1 Ночь.jpg".encode(), b"1 \xff\xfe\xff\xfe\xff\xfe\xff\xfe.jpg")
    found = read(raw)
    assert found.pop("1 " + "\ufffd" * 8 + ".jpg") == "Its name in the ZIP is damaged."
    assert found == {name: data for name, data in FILES.items() if name != "1 Ночь.jpg"}


def test_an_entry_that_needs_a_later_version_is_told_and_the_others_are_read() -> None:
    raw = bytearray(packed("stored"))
    at, _ = list(records(bytes(raw)))[2]
    raw[at + 6] = 200
    found = read(bytes(raw))
    assert "can't be read here" in str(found.pop("2.jpg"))
    assert len(found) == len(FILES) - 1


@pytest.mark.parametrize("cut", [1, 21, 22, 60, 500])
def test_a_zip_that_is_cut_off_is_told(cut: int) -> None:
    with pytest.raises(BrokenZip, match="damaged or incomplete"):
        read(packed("deflate")[:-cut])


@pytest.mark.parametrize("method", ["bzip2", "lzma", "deflate"])
def test_a_bomb_takes_little_memory_until_somebody_has_read_enough(method: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", METHODS[method]) as archive, archive.open("bomb.png", "w") as target:
        for _ in range(64):
            target.write(bytes(MIB))
    tracemalloc.start()
    for entry in entries(file, limit=1):
        assert entry.file
        assert len(entry.file.read(8 * MIB)) == 8 * MIB
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * MIB


def test_an_entry_that_is_closed_keeps_nothing() -> None:
    """While its ZIP waits for its next turn: unpacking LZMA keeps as much as the ZIP asks for."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", METHODS["lzma"]) as archive, archive.open("bomb.png", "w") as target:
        for _ in range(16):
            target.write(bytes(MIB))
    tracemalloc.start()
    listed = entries(file, limit=1)
    entry = next(listed)
    assert entry.file
    assert entry.file.read(MIB)
    open_bytes = tracemalloc.get_traced_memory()[0]
    entry.file.close()
    closed_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert list(listed) == []
    assert open_bytes > 8 * MIB > 2 * MIB > closed_bytes


def test_a_table_of_contents_without_end_is_refused_before_it_is_read() -> None:
    record = RECORD + bytes(RECORD_BYTES - 4)

    def zip_of(count: int) -> IO[bytes]:
        size = count * len(record)
        return io.BytesIO(record * count + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0))

    with pytest.raises(TooMany):
        list(entries(zip_of(10_000), limit=10))
    with pytest.raises(BrokenZip, match="too large"):
        list(entries(zip_of(32 * MIB // RECORD_BYTES + 1), limit=10_000))
