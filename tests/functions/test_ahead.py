"""The images of a ZIP are read ahead: several at a time, within bounds, and each comes in its turn."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from countermark.http.problems import Unavailable
from countermark.jobs.rows import IMAGE_COLUMNS, Image, fetch
from countermark.servers.objects import RESULTS
from countermark.services import Services
from countermark.testing import MemoryObjects

from functions.archive import ahead
from functions.archive.ahead import BYTES_AHEAD, READERS, LostResult, read_ahead
from tests.jobs.made import change, marked, uploaded

MIB = 1024 * 1024


class Watched(MemoryObjects):
    """A store that tells what is read from it whole, and by whom."""

    def __init__(self) -> None:
        super().__init__()
        self.whole: list[str] = []
        self.threads: set[int] = set()
        self.meet = threading.Barrier(1)
        """Reads wait here for each other."""
        self.go = threading.Event()
        """Until then they wait, too."""
        self.go.set()
        self.away_at = ""

    def read(self, bucket: str, key: str, *, limit: int, etag: str | None = None) -> tuple[bytes, str]:
        self.meet.wait(60)
        assert self.go.wait(60)
        self.whole.append(key)
        self.threads.add(threading.get_ident())
        if key == self.away_at:
            raise Unavailable
        return super().read(bucket, key, limit=limit, etag=etag)

    def chunks(self, bucket: str, key: str) -> Iterator[bytes]:
        self.threads.add(threading.get_ident())
        return super().chunks(bucket, key)


@pytest.fixture
def store() -> Watched:
    return Watched()


def content(number: int, size: int) -> bytes:
    """What an image has, with its number at its beginning."""
    return f"{number}.".encode().ljust(size)[:size]


def images_of(own: Services, store: Watched, *sizes: int) -> list[Image]:
    """Marked images with results of these sizes."""
    job = uploaded(own, *(f"{number}.png" for number in range(1, len(sizes) + 1)))
    for number, size in enumerate(sizes, 1):
        key = marked(own, job.id, number).result_key
        store.write(RESULTS, key, content(number, size), "image/png")
        change(own, "UPDATE images SET result_bytes = :size WHERE number = :number", size=size, number=number)
    sql = f"SELECT {IMAGE_COLUMNS} FROM images ORDER BY number"
    return own.database.query(lambda connection: fetch(Image, connection, sql))


def test_every_image_comes_in_its_turn_whoever_reads_it(own: Services, store: Watched) -> None:
    sizes = [100, BYTES_AHEAD + 1, 5 * MIB, 100, 5 * MIB, BYTES_AHEAD * 2, BYTES_AHEAD, 0, *[MIB] * 20]
    with read_ahead(store, images_of(own, store, *sizes)) as entries:  # type: ignore[arg-type]
        for number, (entry, size) in enumerate(zip(entries, sizes, strict=True), 1):
            data = b"".join(entry.open())
            assert data == content(number, size)
            assert (entry.name, entry.size) == (f"{number}.png", size)


def test_several_are_read_at_a_time(own: Services, store: Watched) -> None:
    store.meet = threading.Barrier(READERS)
    with read_ahead(store, images_of(own, store, *[100] * (1 + READERS * 2))) as entries:  # type: ignore[arg-type]
        assert [len(b"".join(entry.open())) for entry in entries] == [100] * (1 + READERS * 2)
    assert len(store.whole) == READERS * 2


def test_no_more_is_read_ahead_than_memory_is_for(own: Services, store: Watched) -> None:
    images = images_of(own, store, *[3 * MIB] * 12)
    with read_ahead(store, images) as entries:  # type: ignore[arg-type]
        for turn, entry in enumerate(entries):
            ahead = BYTES_AHEAD // (3 * MIB)
            begun = [image for image in images if image.result_key in store.whole]
            assert len(begun) <= turn + ahead
            assert len(b"".join(entry.open())) == 3 * MIB
    assert len(store.whole) == 11


def test_what_is_larger_than_that_is_streamed(own: Services, store: Watched) -> None:
    images = images_of(own, store, 100, BYTES_AHEAD + 1, BYTES_AHEAD)
    with read_ahead(store, images) as entries:  # type: ignore[arg-type]
        assert [max(map(len, entry.open())) for entry in entries] == [100, MIB, BYTES_AHEAD]


def test_one_image_takes_no_thread(own: Services, store: Watched) -> None:
    with read_ahead(store, images_of(own, store, 100)) as entries:  # type: ignore[arg-type]
        for entry in entries:
            assert len(b"".join(entry.open())) == 100
    assert store.threads == {threading.get_ident()}


def test_what_fails_ahead_is_told_in_its_turn(own: Services, store: Watched) -> None:
    images = images_of(own, store, 100, 100, 100)
    store.delete(RESULTS, [str(images[1].result_key)])
    store.away_at = str(images[2].result_key)
    with read_ahead(store, images) as entries:  # type: ignore[arg-type]
        assert b"".join(next(entries).open()).startswith(b"1.")
        with pytest.raises(LostResult) as lost:
            list(next(entries).open())
        assert lost.value.number == 2
        with pytest.raises(Unavailable):
            list(next(entries).open())


def test_at_its_end_nothing_is_read_any_more(own: Services, store: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaving(ThreadPoolExecutor):
        """Lets the reads go on once it is told to end."""

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            store.go.set()
            super().shutdown(wait)

    monkeypatch.setattr(ahead, "ThreadPoolExecutor", Leaving)
    store.go.clear()
    before = threading.active_count()
    with read_ahead(store, images_of(own, store, *[100] * 50)) as entries:  # type: ignore[arg-type]
        next(entries)
        assert threading.active_count() == before + READERS
    assert threading.active_count() == before
    assert len(store.whole) == READERS
