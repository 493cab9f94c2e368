"""The rows of a job whose images are just coming: written in as few statements as it takes, the first one at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from countermark.http.problems import Expired, TooMany
from countermark.jobs import endings, opening
from countermark.jobs.keys import posted_key
from countermark.jobs.opening import Arrival, NewImage, NewJob
from countermark.names import clean_name
from countermark.servers.objects import UPLOADS
from countermark.services import Services

from .workers import Workers, done_by

TOO_LATE = "The job was closed or deleted while its images were being sent."
TOUCHES = 4
"""A job whose bytes come says so in its row so often in the time after which it would be given up."""

Item = TypeVar("Item")


class Batches(Generic[Item]):
    """Hands items to a step, one call at a time: what comes during a call goes together with the next."""

    def __init__(self, step: Callable[[list[Item]], Awaitable[None]]) -> None:
        self._step = step
        self._items: list[Item] = []
        self._call: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> None:
        """Returns when the step has returned that had the item; raises what it raised."""
        if not self._items:
            self._call = asyncio.create_task(self._next(self._call))
        self._items.append(item)
        if self._call is not None:
            await self._call

    async def _next(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        items, self._items = self._items, []
        await self._step(items)


class JobRows:
    """A job that is being received. Its first image opens it."""

    def __init__(self, services: Services, owner: str, workers: Workers) -> None:
        self.job: NewJob = opening.new_job()
        self.options: dict[str, Any] | None = None
        """Known when the first image comes."""
        self.count = 0
        """Images so far."""
        self.has_all = False
        """Whether no more will come."""
        self._services, self._owner, self._writing = services, owner, workers.writing
        self._open = self._sealed = False
        self._unsettled = 0
        self._told = 0.0
        self._adding, self._arriving = Batches(self._add), Batches(self._arrive)

    def new_image(self, name: str) -> NewImage:
        """The next image; its row is not written yet.

        Raises:
            TooMany: there is one too many.
        """
        most = self._services.settings.max_files
        if self.count == most:
            raise TooMany(f"The job has more than the {most} files that are allowed.")
        self.count += 1
        self._unsettled += 1
        return NewImage(number=self.count, name=clean_name(name), key=posted_key(self.job.id, self.count))

    async def add(self, image: NewImage) -> None:
        """Write its row; then it may be stored.

        Raises:
            Expired: the job takes no more.
        """
        await self._adding.put(image)

    async def arrive(self, image: NewImage, etag: str, size: int) -> None:
        """It is stored, and waits to be marked.

        Raises:
            Expired: the job takes none any more; the object is deleted.
        """
        await self._arriving.put(Arrival(number=image.number, etag=etag, size=size))

    async def fail(self, image: NewImage, code: str, reason: str) -> None:
        """An image whose row is written has no bytes that can be used."""
        await done_by(self._writing, opening.fail_expected, self._services, self.job.id, [image.number], code, reason)
        self._unsettled -= 1

    async def seal(self) -> None:
        """All images are there."""
        if not self._sealed:
            await done_by(self._writing, opening.seal, self._services, self.job.id)

    async def stay(self) -> None:
        """Bytes are coming, if slowly: the job is not given up."""
        now = asyncio.get_running_loop().time()
        if self._open and now - self._told > self._services.settings.upload_seconds / TOUCHES:
            self._told = now
            await done_by(self._writing, opening.stay, self._services, self.job.id)

    async def abandon(self) -> None:
        """The request has failed: nothing of it is kept."""
        if self._open:
            await done_by(self._writing, endings.abandon, self._services, self.job.id)

    async def _add(self, images: list[NewImage]) -> None:
        if self._open:
            if not await done_by(self._writing, opening.add_images, self._services, self.job.id, images):
                raise Expired(TOO_LATE)
        else:
            self._open = True  # if the answer is lost, it may be
            self._told = asyncio.get_running_loop().time()
            await done_by(self._writing, opening.open_job, self._services, self.job, self._owner, self.options, images)

    async def _arrive(self, arrivals: list[Arrival]) -> None:
        last = self.has_all and len(arrivals) == self._unsettled
        self._unsettled -= len(arrivals)
        await done_by(self._writing, self._write_arrivals, arrivals, last)
        self._sealed = last

    def _write_arrivals(self, arrivals: list[Arrival], last: bool) -> None:
        outcomes = opening.arrive_all(self._services, self.job.id, arrivals, seal=last)
        refused = [number for number, outcome in outcomes.items() if outcome in {"late", "gone"}]
        if refused:
            self._services.objects.delete(UPLOADS, [posted_key(self.job.id, number) for number in refused])
            raise Expired(TOO_LATE)
