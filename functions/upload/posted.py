"""Jobs whose images come in the body of one request.

The server hands the request over when all of it has arrived; each image is stored and announced as it is read then.
"""

import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Any

import structlog
from countermark import engine
from countermark.http.calls import Event
from countermark.http.problems import BadOptions, Problem, TooLarge, TooMany
from countermark.jobs import Ending, NewImage, new_job_id
from countermark.names import clean_name
from countermark.servers.events import JOB_EXPIRED, RECONCILE_JOB, ObjectCreated
from countermark.servers.objects import UPLOADS
from countermark.services import Services

from .multipart import Part, read_parts
from .unzip import MAGIC, Entry, Readable, entries, spooled

log = structlog.get_logger()


class FileTooLarge(Exception):
    """One file has more bytes than a file may have; the job goes on without it."""


class Limited:
    """A stream that counts what is read, for the file and for the job.

    Raises, in ``read``:
        FileTooLarge: the file goes over its limit.
        TooLarge: the job goes over its limit.
    """

    def __init__(self, stream: Readable, head: bytes, job: "PostedJob") -> None:
        self._stream, self._head, self._job = stream, head, job
        self._bytes = 0

    def read(self, size: int, /) -> bytes:
        """The next bytes; fewer than asked for only at the end."""
        head, self._head = self._head[:size], self._head[size:]
        data = head + self._stream.read(size - len(head))
        self._bytes += len(data)
        self._job.bytes += len(data)
        own = self._job.services.settings
        if self._bytes > own.max_file_bytes:
            raise FileTooLarge
        if self._job.bytes > own.max_job_bytes:
            raise TooLarge(f"The files have more than the {own.max_job_bytes} bytes that a job may have.")
        return data


class PostedJob:
    """A job that is being received: it is opened by its first file, when the options are known."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.id = new_job_id()
        self.bytes = 0
        self.count = 0
        self._fields: dict[str, str] = {}

    def take(self, part: Part) -> None:
        """Take the next part of the body: an option, an image, or a ZIP of images."""
        if part.filename is None:
            self._take_option(part.name, part.text())
            return
        head = part.read(len(MAGIC))
        if not head and not part.filename:
            return  # a browser's empty file field
        if head == MAGIC and PurePosixPath(part.filename).suffix.lower() in {".zip", ""}:
            self._take_zip(part.filename, head, part)
        else:
            self._store(part.filename, Limited(part, head, self))

    def _take_option(self, name: str, value: str) -> None:
        if self.count:
            raise Problem(f"The option {name} comes after a file. Put the options before the files.")
        if value != "":
            self._fields[name] = value

    def _take_zip(self, name: str, head: bytes, part: Part) -> None:
        try:
            with spooled(head, part) as file:
                for entry in entries(file, limit=self.services.settings.max_files - self.count):
                    self._take_entry(entry)
        except zipfile.BadZipFile as error:
            self._fail(self._add(name), "broken_zip", f"The ZIP is broken: {error}.")

    def _take_entry(self, entry: Entry) -> None:
        if entry.file is None:
            self._fail(self._add(entry.name), "bad_zip_entry", entry.wrong)
            return
        self._store(entry.name, Limited(entry.file, b"", self))

    def _store(self, name: str, stream: Any) -> None:
        image = self._add(name)
        try:
            self.services.objects.write_stream(image.bucket, image.key, stream)
        except FileTooLarge:
            limit = self.services.settings.max_file_bytes // (1024 * 1024)
            self._fail(image, "file_too_large", f"The file is larger than the {limit} MiB that are allowed.")
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            self._fail(image, "bad_zip_entry", f"It can't be read from the ZIP: {error}.")
        else:
            self.services.events.publish_created(ObjectCreated(bucket=image.bucket, key=image.key))

    def _add(self, name: str) -> NewImage:
        own = self.services.settings
        if self.count == own.max_files:
            raise TooMany(f"The job has more than the {own.max_files} files that are allowed.")
        if self.count == 0:
            self._open()
        self.count += 1
        image = NewImage(number=self.count, name=clean_name(name), bucket=UPLOADS, key=f"posted/{self.id}/{self.count}")
        self.services.jobs.add_image(self.id, image)
        return image

    def _open(self) -> None:
        try:
            options = engine.parse_options(self._fields)
        except engine.InvalidOptions as error:
            raise BadOptions(str(error), errors=error.errors) from error
        seconds = self.services.settings.upload_seconds
        deadline = self.services.jobs.open_job(self.id, options.model_dump(mode="json"), seconds)
        structlog.contextvars.bind_contextvars(job=self.id)
        self.services.events.schedule(RECONCILE_JOB, {"job": self.id}, name=self.id, at=deadline)

    def _fail(self, new: NewImage, code: str, reason: str) -> None:
        found = self.services.jobs.find_image(new.bucket, new.key)
        if found:
            self.services.jobs.fail_image(found[1], code, reason)

    def seal(self) -> None:
        """All files are there."""
        if self.services.jobs.seal(self.id) is Ending.COMPLETE:
            self.services.events.publish_complete(self.id, 0)

    def abandon(self) -> None:
        """The request is refused: nothing of it is kept."""
        if self.count and self.services.jobs.expire(self.id, now=True):
            self.services.events.publish(JOB_EXPIRED, {"job": self.id}, f"expired/{self.id}")


def store_posted(services: Services, event: Event) -> str:
    """Store the images of a multipart body, and begin their job.

    Returns:
        The job's id.

    Raises:
        Problem: the body, its number of files or the options are not allowed; nothing is kept then.
    """
    job = PostedJob(services)
    try:
        for part in read_parts(event.stream, event.headers.get("Content-Type", "")):
            job.take(part)
    except Problem:
        job.abandon()
        raise
    if job.count == 0:
        raise Problem("There is no file in the request. Send the images as `files`.", code="no_files")
    job.seal()
    log.info("job received", images=job.count, bytes=job.bytes)
    return job.id
