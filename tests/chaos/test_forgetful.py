"""What the forgetful file system forgets, and what it keeps."""

import errno
import fcntl
import mmap
import os
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.disk import Disk

SYNC_FLAG = 8  # FS_SYNC_FL
GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk that is mounted."""
    disk = Disk(tmp_path)
    disk.open()
    yield disk
    disk.close()


def write(path: Path, data: bytes, *, sync: bool = True, flags: int = os.O_CREAT | os.O_TRUNC, offset: int = 0) -> None:
    """Write into a file."""
    file = os.open(path, os.O_WRONLY | flags, 0o644)
    try:
        os.pwrite(file, data, offset)
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def names_in(path: Path) -> list[str]:
    """What is in a folder."""
    return sorted(each.name for each in path.iterdir())


def sync_folder(path: Path) -> None:
    """Sync the names in a folder."""
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def test_what_was_synced_is_kept_and_what_was_not_is_lost(disk: Disk) -> None:
    write(disk.mount / "kept", b"kept" * 5000)
    write(disk.mount / "changed", b"before" * 5000)
    write(disk.mount / "changed", b"AFTER", sync=False, flags=0, offset=9000)
    write(disk.mount / "grown", b"before" * 1000)
    write(disk.mount / "grown", b"AFTER" * 9000, sync=False, flags=0, offset=5998)
    write(disk.mount / "shrunk", b"before" * 5000)
    write(disk.mount / "shrunk", b"AFTER", sync=False)
    write(disk.mount / "new", b"new", sync=False)
    assert (disk.mount / "changed").read_bytes()[9000:9005] == b"AFTER"
    assert (disk.mount / "shrunk").read_bytes() == b"AFTER"
    disk.cut_power()
    assert (disk.mount / "kept").read_bytes() == b"kept" * 5000
    assert (disk.mount / "changed").read_bytes() == b"before" * 5000
    assert (disk.mount / "grown").read_bytes() == b"before" * 1000
    assert (disk.mount / "shrunk").read_bytes() == b"before" * 5000
    assert not (disk.mount / "new").exists()


def test_the_names_before_a_sync_are_kept_but_not_the_data_of_others(disk: Disk) -> None:
    write(disk.mount / "a", b"a", sync=False)
    write(disk.mount / "b", b"b")
    disk.cut_power()
    assert (disk.mount / "a").read_bytes() == b""
    assert (disk.mount / "b").read_bytes() == b"b"


def test_an_orderly_end_keeps_everything(disk: Disk) -> None:
    (disk.mount / "folder").mkdir()
    write(disk.mount / "folder" / "a", b"a", sync=False)
    disk.close()
    disk.open()
    assert (disk.mount / "folder" / "a").read_bytes() == b"a"


def test_a_replaced_file_is_the_old_or_the_new_one(disk: Disk) -> None:
    write(disk.mount / "file", b"old")
    write(disk.mount / "temporary", b"new")
    (disk.mount / "temporary").rename(disk.mount / "file")
    assert (disk.mount / "file").read_bytes() == b"new"
    disk.cut_power()
    assert (disk.mount / "file").read_bytes() == b"old"
    assert (disk.mount / "temporary").read_bytes() == b"new"
    (disk.mount / "temporary").rename(disk.mount / "file")
    sync_folder(disk.mount)
    disk.cut_power()
    assert (disk.mount / "file").read_bytes() == b"new"
    assert names_in(disk.mount) == ["file"]


def test_removed_and_moved_names_come_back_until_they_are_synced(disk: Disk) -> None:
    (disk.mount / "folder").mkdir()
    write(disk.mount / "folder" / "a", b"a")
    write(disk.mount / "folder" / "b", b"b")
    (disk.mount / "folder").rename(disk.mount / "moved")
    (disk.mount / "moved" / "a").unlink()
    (disk.mount / "moved" / "b").unlink()
    (disk.mount / "moved").rmdir()
    (disk.mount / "folder").mkdir()
    write(disk.mount / "folder" / "c", b"c", sync=False)
    disk.cut_power()
    assert names_in(disk.mount) == ["folder"]
    assert names_in(disk.mount / "folder") == ["a", "b"]
    assert (disk.mount / "folder" / "a").read_bytes() == b"a"
    (disk.mount / "folder" / "a").unlink()
    sync_folder(disk.mount / "folder")
    disk.cut_power()
    assert names_in(disk.mount / "folder") == ["b"]


def test_a_folder_that_is_not_empty_stays(disk: Disk) -> None:
    (disk.mount / "folder").mkdir()
    write(disk.mount / "folder" / "a", b"a")
    with pytest.raises(OSError, match="not empty") as caught:
        (disk.mount / "folder").rmdir()
    assert caught.value.errno == errno.ENOTEMPTY


def test_a_file_without_a_name_is_used_until_it_is_closed(disk: Disk) -> None:
    with (disk.mount / "a").open("w+b") as file:
        file.write(b"before")
        file.flush()
        (disk.mount / "a").unlink()
        sync_folder(disk.mount)
        file.write(b" and after")
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        assert file.read() == b"before and after"
        assert os.fstat(file.fileno()).st_size == 16


@pytest.mark.parametrize("flag", [os.O_SYNC, os.O_DSYNC])
def test_a_file_opened_for_synced_writes_needs_no_other_sync(disk: Disk, flag: int) -> None:
    write(disk.mount / "a", b"a" * 10_000, sync=False, flags=os.O_CREAT | flag)
    write(disk.mount / "b", b"b", sync=False)
    disk.cut_power()
    assert (disk.mount / "a").read_bytes() == b"a" * 10_000
    assert not (disk.mount / "b").exists()


def set_flags(path: Path, flags: int) -> None:
    """What chattr does."""
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(file, SET_FLAGS, struct.pack("i", flags))
    finally:
        os.close(file)


def flags_of(path: Path) -> int:
    """What lsattr shows."""
    file = os.open(path, os.O_RDONLY)
    flags: int = struct.unpack("i", fcntl.ioctl(file, GET_FLAGS, b"\0" * 4))[0]
    os.close(file)
    return flags


def test_below_a_folder_with_chattr_s_everything_is_synced(disk: Disk) -> None:
    (disk.mount / "folder").mkdir()
    set_flags(disk.mount / "folder", SYNC_FLAG)
    (disk.mount / "folder" / "inner").mkdir()
    write(disk.mount / "folder" / "inner" / "a", b"a" * 10_000, sync=False)
    (disk.mount / "folder" / "inner" / "a").rename(disk.mount / "folder" / "b")
    write(disk.mount / "outside", b"lost", sync=False)
    disk.cut_power()
    assert names_in(disk.mount) == ["folder"]
    assert (disk.mount / "folder" / "b").read_bytes() == b"a" * 10_000
    assert flags_of(disk.mount / "folder" / "b") == flags_of(disk.mount / "folder" / "inner") == SYNC_FLAG
    write(disk.mount / "folder" / "b", b"b", sync=False, flags=0)
    disk.cut_power()
    assert (disk.mount / "folder" / "b").read_bytes()[:2] == b"ba"


def test_what_is_written_through_a_mapping_is_kept_from_its_sync_on(disk: Disk) -> None:
    write(disk.mount / "a", b"a" * 20_000)
    with (disk.mount / "a").open("r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
        pages[0:4] = b"kept"
        pages.flush()
        pages[9000:9004] = b"lost"
        assert (disk.mount / "a").read_bytes()[9000:9004] == b"lost"
    disk.cut_power()
    assert (disk.mount / "a").read_bytes() == b"kept" + b"a" * 19_996


def test_a_part_is_lost_of_a_disk_at_work(disk: Disk) -> None:
    pages = 200
    write(disk.mount / "a", b"a" * 4096 * pages)
    write(disk.mount / "a", b"b" * 4096 * pages, sync=False, flags=0)
    for number in range(20):
        write(disk.mount / str(number), b"", sync=False)
    disk.cut_power(seed=7)
    data = (disk.mount / "a").read_bytes()
    assert len(data) == 4096 * pages
    found = [data[number * 4096 : (number + 1) * 4096] for number in range(pages)]
    assert {page[0] for page in found} == {*b"ab"}
    assert all(page == page[:1] * 4096 for page in found)
    names = sorted(int(name) for name in names_in(disk.mount) if name != "a")
    assert names == list(range(len(names)))
    assert len(names) < 20


def test_a_full_folder_takes_nothing_more(disk: Disk) -> None:
    for name in ("full", "other"):
        (disk.mount / name / "inner").mkdir(parents=True)
        write(disk.mount / name / "inner" / "a", b"a" * 100)
    disk.set_full("full", True)
    with pytest.raises(OSError, match="No space") as caught:
        write(disk.mount / "full" / "inner" / "a", b"more", flags=0, offset=98)
    assert caught.value.errno == errno.ENOSPC
    write(disk.mount / "full" / "inner" / "a", b"in its place", flags=0)
    write(disk.mount / "other" / "inner" / "a", b"more", flags=0, offset=98)
    disk.set_full("full", False)
    write(disk.mount / "full" / "inner" / "a", b"more", flags=0, offset=98)
    assert (disk.mount / "full" / "inner" / "a").stat().st_size == 102


def test_links_sockets_owners_and_locks_work_as_elsewhere(disk: Disk) -> None:
    write(disk.mount / "a", b"a")
    (disk.mount / "b").hardlink_to(disk.mount / "a")
    (disk.mount / "c").symlink_to("a")
    (disk.mount / "a").chmod(0o600)
    os.chown(disk.mount / "a", 12, 34)
    os.truncate(disk.mount / "b", 0)
    assert (disk.mount / "a").stat().st_size == 0
    assert (disk.mount / "c").readlink() == Path("a")
    stat = (disk.mount / "b").stat()
    assert (stat.st_mode & 0o777, stat.st_uid, stat.st_gid, stat.st_nlink) == (0o600, 12, 34, 2)
    server, client = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    server.bind(str(disk.mount / "socket"))
    server.listen()
    client.connect(str(disk.mount / "socket"))
    client.close()
    server.close()
    with (disk.mount / "a").open() as one, (disk.mount / "a").open() as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_calls_ends_as_a_model_says(disk: Disk, seed: int) -> None:
    chance = random.Random(seed)
    data: dict[str, bytes] = {}
    synced: dict[str, bytes] = {}
    names: list[str] = []
    """The names at the last sync of anything; data are synced file by file."""
    for _ in range(400):
        name = chance.choice("abcde")
        path = disk.mount / name
        match chance.choice(["write", "write", "append", "truncate", "sync", "cut"]):
            case "write" if name in data:
                offset, more = chance.randrange(len(data[name]) + 1), chance.randbytes(chance.randrange(1, 9000))
                write(path, more, sync=False, flags=0, offset=offset)
                data[name] = data[name][:offset] + more + data[name][offset + len(more) :]
            case "append" | "write":
                more = chance.randbytes(chance.randrange(1, 9000))
                write(path, more, sync=False, flags=os.O_CREAT | os.O_APPEND)
                data[name] = data.get(name, b"") + more
            case "truncate" if name in data:
                size = chance.randrange(2 * len(data[name]) + 1)
                os.truncate(path, size)
                data[name] = data[name][:size].ljust(size, b"\0")
            case "sync" if name in data:
                write(path, b"", flags=0)
                synced[name], names = data[name], list(data)
            case "cut" if chance.random() < 0.2:
                disk.cut_power()
                data = {each: synced.get(each, b"") for each in names}
                synced = dict(data)
        assert {each.name: each.read_bytes() for each in disk.mount.iterdir()} == data
