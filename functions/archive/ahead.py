"""Reads the images of a ZIP before their turn comes, so that it does not wait for the store once an image."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from countermark.jobs.rows import Image
from countermark.servers.objects import RESULTS, NoSuchObject, ObjectStore

from .zip import Entry

READERS = 4
"""Images that are read at a time."""
BYTES_AHEAD = 8 * 1024 * 1024
"""The most of one ZIP that is in memory before its turn. A larger image is streamed when its turn comes."""


class LostResult(Exception):
    """The store has lost the result of an image, such as by a power cut."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


@contextmanager
def read_ahead(objects: ObjectStore, images: Sequence[Image]) -> Iterator[Iterator[Entry]]:
    """The entries of marked images, to be opened one after the other. At its end nothing is read any more.

    What is read from an entry may raise:
        LostResult: the store has no result of the image any more.
        ObjectTooLarge: it has more bytes than its row says.
        Unavailable, Refused: the store does not give it.
    """
    with ThreadPoolExecutor(READERS) as readers:  # it has no thread before there is something to read ahead
        try:
            yield _entries(objects, images, readers)
        finally:
            readers.shutdown(cancel_futures=True)


def _entries(objects: ObjectStore, images: Sequence[Image], readers: ThreadPoolExecutor) -> Iterator[Entry]:
    sizes = [image.result_bytes or 0 for image in images]
    begun: dict[int, Future[bytes]] = {}
    held = following = 0
    for place, image in enumerate(images):
        following = max(following, place + 1)
        while following < len(images) and held + sizes[following] <= BYTES_AHEAD:
            begun[following] = readers.submit(_whole, objects, images[following])
            held += sizes[following]
            following += 1
        if place in begun:
            yield Entry(name=image.result_name, size=sizes[place], open=partial(_taken, begun.pop(place)))
            held -= sizes[place]
        else:
            yield Entry(name=image.result_name, size=sizes[place], open=partial(_streamed, objects, image))


def _taken(reading: Future[bytes]) -> Iterator[bytes]:
    yield reading.result()


def _whole(objects: ObjectStore, image: Image) -> bytes:
    try:
        return objects.read(RESULTS, str(image.result_key), limit=image.result_bytes or 0)[0]
    except NoSuchObject as error:
        raise LostResult(image.number) from error


def _streamed(objects: ObjectStore, image: Image) -> Iterator[bytes]:
    try:
        yield from objects.chunks(RESULTS, str(image.result_key))
    except NoSuchObject as error:
        raise LostResult(image.number) from error
