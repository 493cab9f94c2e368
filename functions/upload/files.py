"""The files of a posted job as they come: images, and ZIPs of images."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import closing
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from countermark.servers.objects import PART_BYTES, UPLOADS, PartsUpload, Refused

from .room import MIB, Held
from .unzip import MAGIC, BrokenEntry, BrokenZip, Entry, entries
from .workers import done_by

if TYPE_CHECKING:
    from .posted import PostedJob

MEDIA_TYPE = "application/octet-stream"


class PostedFile:
    """A file of the body, whose first bytes say what it is."""

    def __init__(self, job: "PostedJob", name: str) -> None:
        self._job, self._name = job, name
        self._head = b""
        self._it: PostedImage | PostedZip | None = None

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._it is None:
            self._head += data
            if len(self._head) < len(MAGIC):
                return
            self._it, data = await self._begun(), self._head
        await self._it.write(data)

    async def close(self) -> None:
        """All bytes are there."""
        if self._it is None:
            if not self._head and not self._name:
                return  # a browser's empty file field
            self._it = await self._begun()
            await self._it.write(self._head)
        await self._it.close()

    async def drop(self) -> None:
        """The job has failed."""
        if self._it is not None:
            await self._it.drop()

    async def _begun(self) -> "PostedImage | PostedZip":
        if self._head.startswith(MAGIC) and PurePosixPath(self._name).suffix.lower() in {".zip", ""}:
            return PostedZip(self._job, self._name)
        return await self._job.new_image(self._name)


class PostedImage:
    """An image. A small one is stored when all of it is there, a large one in parts as they come."""

    def __init__(self, job: "PostedJob", name: str) -> None:
        self.has_failed = False
        self._job, self._row = job, job.rows.new_image(name)
        self._size = 0
        self._has_row = False
        self._held = Held(job.workers.room)
        self._parts: PartsUpload | None = None
        self._sending: asyncio.Task[None] | None = None

    async def write(self, data: bytes) -> None:
        """Take the next bytes; those of an image that has failed are dropped.

        Raises:
            TooLarge: the job has too many.
        """
        if self.has_failed:
            return
        self._size += len(data)
        self._job.count_bytes(len(data))
        limit = self._job.services.settings.max_file_bytes
        if self._size > limit:
            await self.fail("file_too_large", f"The file is larger than the {limit // MIB} MiB that are allowed.")
            return
        rest = PART_BYTES - self._held.bytes
        self._held.write(data[:rest])
        if self._held.bytes == PART_BYTES:
            await self._send_held()
            if not self.has_failed:
                self._held.write(data[rest:])

    async def close(self) -> None:
        """All bytes are there: it is stored, while the next ones come."""
        if not self.has_failed:
            await self._job.start(self._store())

    async def fail(self, code: str, reason: str) -> None:
        """It fails alone."""
        self.has_failed = True
        await self._write_row()
        await self.drop()
        await self._job.rows.fail(self._row, code, reason)

    async def drop(self) -> None:
        """Nothing of it is kept."""
        if self._sending is not None:
            await asyncio.gather(self._sending, return_exceptions=True)
        if self._parts is not None:
            parts, self._parts = self._parts, None
            await done_by(self._job.workers.storing, parts.abort)
        self._held.close()

    async def _write_row(self) -> None:
        if not self._has_row:
            self._has_row = True
            await self._job.rows.add(self._row)

    async def _send_held(self) -> None:
        """While a part is sent, the next one comes."""
        try:
            if self._parts is None:
                await self._write_row()
                self._parts = await done_by(
                    self._job.workers.storing, self._job.services.objects.begin, UPLOADS, self._row.key, MEDIA_TYPE
                )
            if self._sending is not None:
                await self._sending
        except Refused as error:
            await self._refuse(error)
            return
        held, self._held = self._held, Held(self._job.workers.room)
        self._sending = asyncio.create_task(self._send(self._parts, held))

    async def _send(self, parts: PartsUpload, held: Held) -> None:
        try:
            await done_by(self._job.workers.storing, lambda: parts.send(held.read()))
        finally:
            held.close()

    async def _store(self) -> None:
        try:
            etag = await (self._store_whole() if self._parts is None else self._store_rest(self._parts))
        except Refused as error:
            await self._refuse(error)
        except BaseException:
            await self.drop()
            raise
        else:
            await self._job.rows.arrive(self._row, etag, self._size)

    async def _store_whole(self) -> str:
        objects = self._job.services.objects
        await self._write_row()
        etag = await done_by(
            self._job.workers.storing,
            lambda: objects.write(UPLOADS, self._row.key, self._held.read(), MEDIA_TYPE),
        )
        self._held.close()
        return etag

    async def _store_rest(self, parts: PartsUpload) -> str:
        if self._sending is not None:
            await self._sending
        if self._held.bytes:
            await self._send(parts, self._held)
        return await done_by(self._job.workers.storing, parts.complete)

    async def _refuse(self, error: Refused) -> None:
        await self.fail("refused_by_store", f"The object store does not take the file: {error}.")


class PostedZip:
    """A ZIP of images: it waits on disk until all of it is there, for its table of contents is at its end."""

    def __init__(self, job: "PostedJob", name: str) -> None:
        self._job, self._name = job, name
        self._held = Held(job.workers.room, in_memory=False)
        self._next = bytearray()

    async def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            Unavailable: there is no room for them.
        """
        self._next += data
        if len(self._next) >= MIB:
            await self._flush()

    async def close(self) -> None:
        """All bytes are there: it is unpacked."""
        await self._flush()
        limit = self._job.services.settings.max_files - self._job.rows.count
        try:
            with closing(entries(self._held.open(), limit=limit)) as listed:
                while await self._next_entry(listed):
                    self._job.check()
        except BrokenZip as error:
            image = await self._job.new_image(self._name)
            await image.fail("broken_zip", str(error))
        await self.drop()

    async def drop(self) -> None:
        """Nothing of it is kept."""
        self._held.close()

    async def _flush(self) -> None:
        data, self._next = bytes(self._next), bytearray()
        await self._unpack(self._held.write, data)

    async def _next_entry(self, listed: Iterator[Entry]) -> bool:
        """Take the next entry; whether there was one. ZIPs take turns."""
        async with self._job.workers.entries:
            entry = await self._unpack(next, listed, None)
            if entry is not None:
                await self._take(entry)
        return entry is not None

    async def _take(self, entry: Entry) -> None:
        image = await self._job.new_image(entry.name)
        if entry.file is None:
            await image.fail("bad_zip_entry", entry.wrong)
            return
        try:
            with closing(entry.file) as file:
                while not image.has_failed and (data := await self._unpack(file.read, MIB)):
                    await image.write(data)
        except BrokenEntry as error:
            await image.fail("bad_zip_entry", str(error))
        except BaseException:
            await image.drop()
            raise
        else:
            await image.close()

    def _unpack(self, call: Any, *arguments: Any) -> Coroutine[Any, Any, Any]:
        return done_by(self._job.workers.unpacking, call, *arguments)
