"""Jobs whose images come in the body of one request. Each is stored, and waits to be marked, while others come."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import structlog
from countermark import engine
from countermark.http.calls import Event, owner_of
from countermark.http.problems import BadOptions, Expired, Problem, TooLarge, Unavailable
from countermark.jobs.opening import NewJob
from countermark.services import Services

from .files import PostedFile, PostedImage
from .multipart import Data, Field, File, read_parts
from .rows import JobRows
from .workers import Workers, done_by, workers

log = structlog.get_logger()

AT_ONCE = 4
"""Images of a job that are being stored at a time, while the next one comes."""
MAX_FIELD_BYTES = 3 * 1024 * 1024
"""Room for an option; a logo is sent as one."""
MAX_OPTION_BYTES = 6 * 1024 * 1024
"""Of all options of a job, which are kept in memory."""
MAX_FIELDS = 100


class PostedJob:
    """A job that is being received."""

    def __init__(self, services: Services, owner: str, workers: Workers) -> None:
        self.services, self.workers = services, workers
        self.rows = JobRows(services, owner, workers)
        self._bytes = self._option_bytes = 0
        self._fields: dict[str, bytes] = {}
        self._part: _Option | PostedFile | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    async def receive(self, chunks: AsyncIterator[bytes], content_type: str) -> NewJob:
        """Take the body.

        Raises:
            Problem: it, its number of files or the options are not allowed, or a server is away. Nothing is kept.
            Expired: the job was closed, and what has come stays; or it was deleted.
        """
        try:
            async for event in read_parts(chunks, content_type):
                await self._take(event)
                self.check()
            self.rows.has_all = True
            await self._stored()
            self.check()
            await self._seal()
        except BaseException as error:
            self._drop_options()
            if self._part is not None:
                await self._part.drop()
            await self._stored()  # what comes to the store later would stay there
            if not isinstance(error, Expired):
                await self.rows.abandon()
            raise
        log.info("job received", job=self.rows.job.id, images=self.rows.count, bytes=self._bytes)
        return self.rows.job

    async def new_image(self, name: str) -> PostedImage:
        """The next image of the job.

        Raises:
            BadOptions: it is the first, and the options that came before it are wrong.
        """
        if self.rows.options is None:
            try:
                options = await done_by(self.workers.storing, _parsed, self._fields)
            except engine.InvalidOptions as error:
                raise BadOptions(str(error), errors=error.errors) from error
            finally:
                self._drop_options()
            self.rows.options = options.model_dump(mode="json")
        return PostedImage(self, name)

    def count_bytes(self, size: int) -> None:
        """Count what an image has.

        Raises:
            TooLarge: it is too much.
        """
        self._bytes += size
        limit = self.services.settings.max_job_bytes
        if self._bytes > limit:
            raise TooLarge(f"The files have more than the {limit} bytes that a job may have.")

    async def start(self, storing: Coroutine[Any, Any, None]) -> None:
        """Let an image be stored; returns when there is a place for it."""
        await self._slots.acquire()
        task = asyncio.create_task(self._store(storing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def check(self) -> None:
        """Raise what has gone wrong meanwhile."""
        if self._error is not None:
            raise self._error

    def count_option(self, size: int) -> None:
        """Count the next bytes of an option.

        Raises:
            TooLarge: all of them are too large.
            Unavailable: there is no room for them.
        """
        if self._option_bytes + size > MAX_OPTION_BYTES:
            raise TooLarge(f"The options have more than the {MAX_OPTION_BYTES} bytes that they may have.")
        if not self.workers.room.take_memory(size):
            raise Unavailable("There are too many large uploads just now.")
        self._option_bytes += size

    def keep_option(self, name: str, value: bytes) -> None:
        """Keep an option; an empty one is none.

        Raises:
            Problem: there are too many.
        """
        if value:
            self._fields[name] = value
        if len(self._fields) > MAX_FIELDS:
            raise Problem(f"There are more than {MAX_FIELDS} options.")

    def _drop_options(self) -> None:
        self.workers.room.give_back(memory=self._option_bytes)
        self._fields, self._option_bytes = {}, 0

    async def _seal(self) -> None:
        if self.rows.count == 0:
            raise Problem("There is no file in the request. Send the images as `files`.", code="no_files")
        await self.rows.seal()

    async def _store(self, storing: Coroutine[Any, Any, None]) -> None:
        try:
            await storing
        except BaseException as error:
            self._error = self._error or error
        finally:
            self._slots.release()

    async def _stored(self) -> None:
        """Wait for what is being stored."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _take(self, event: Field | File | Data) -> None:
        match event:
            case Field():
                if self.rows.count:
                    raise Problem(f"The option {event.name} comes after a file. Put the options before the files.")
                self.count_option(4 * len(event.name))  # bytes that the name may take in memory
                self._part = _Option(self, event.name)
            case File():
                self._part = PostedFile(self, event.filename)
            case Data() if self._part is not None:
                await self._part.write(event.data)
                await self.rows.stay()
                if not event.more_data:
                    await self._part.close()
                    self._part = None


class _Option:
    """An option, in memory."""

    def __init__(self, job: PostedJob, name: str) -> None:
        self._job, self._name = job, name
        self._value = bytearray()

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._job.count_option(len(data))
        self._value += data
        if len(self._value) > MAX_FIELD_BYTES:
            raise Problem(f"The field {self._name} has more than {MAX_FIELD_BYTES} bytes.")

    async def close(self) -> None:
        """All bytes are there."""
        self._job.keep_option(self._name, bytes(self._value))

    async def drop(self) -> None:
        """There is nothing to let go of."""


def _parsed(fields: dict[str, bytes]) -> engine.Options:
    """The options.

    Raises:
        Problem: one is not text.
        InvalidOptions: they are wrong.
    """
    texts = {}
    for name, value in fields.items():
        try:
            texts[name] = value.decode()
        except UnicodeDecodeError:
            raise Problem(f"The field {name} is not UTF-8 text.") from None
    return engine.parse_options(texts)


async def receive_posted(
    services: Services, event: Event, chunks: AsyncIterator[bytes], by: Workers | None = None
) -> NewJob:
    """Store the images of a multipart body while it comes, and begin their job.

    Args:
        by: the threads that work for it; those of this process if none are named.

    Raises:
        Problem, Expired: as ``PostedJob.receive``.
    """
    job = PostedJob(services, owner_of(event), by or workers(2 * services.settings.max_job_bytes))
    return await job.receive(chunks, event.headers.get("Content-Type", ""))
