"""Jobs whose images come in the body of one request. Each is stored, and waits to be marked, as it is read."""

from pathlib import PurePosixPath
from typing import Any

import structlog
from countermark import engine
from countermark.http.calls import Event, owner_of
from countermark.http.problems import BadOptions, Expired, Problem, TooLarge, TooMany
from countermark.jobs import endings, opening
from countermark.jobs.keys import posted_key
from countermark.jobs.opening import NewImage, NewJob
from countermark.names import clean_name
from countermark.servers.objects import UPLOADS, Refused
from countermark.services import Services

from .multipart import Part, read_parts
from .unzip import MAGIC, BrokenEntry, BrokenZip, Entry, Readable, entries, spooled

log = structlog.get_logger()

MAX_OPTION_LENGTH = 16 * 1024 * 1024
"""Characters of all options of a job, which are kept in memory."""
TOO_LATE = "The job was closed or deleted while its images were being sent."


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

    def __init__(self, services: Services, owner: str) -> None:
        self.services = services
        self.bytes = 0
        self.count = 0
        self._owner = owner
        self._job: NewJob | None = None
        self._fields: dict[str, str] = {}
        self._option_length = 0

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
        self._option_length += len(name) + len(value)
        if self._option_length > MAX_OPTION_LENGTH:
            raise TooLarge(f"The options have more than the {MAX_OPTION_LENGTH} characters that they may have.")
        if value != "":
            self._fields[name] = value

    def _take_zip(self, name: str, head: bytes, part: Part) -> None:
        try:
            with spooled(head, part) as file:
                for entry in entries(file, limit=self.services.settings.max_files - self.count):
                    self._take_entry(entry)
        except BrokenZip as error:
            self._fail(self._add(name), "broken_zip", str(error))

    def _take_entry(self, entry: Entry) -> None:
        if entry.file is None:
            self._fail(self._add(entry.name), "bad_zip_entry", entry.wrong)
            return
        self._store(entry.name, Limited(entry.file, b"", self))

    def _store(self, name: str, stream: Any) -> None:
        image = self._add(name)
        objects = self.services.objects
        try:
            etag, size = objects.write_stream(UPLOADS, image.key, stream)
        except FileTooLarge:
            limit = self.services.settings.max_file_bytes // (1024 * 1024)
            self._fail(image, "file_too_large", f"The file is larger than the {limit} MiB that are allowed.")
        except BrokenEntry as error:
            self._fail(image, "bad_zip_entry", str(error))
        except Refused as error:
            self._fail(image, "refused_by_store", f"The object store does not take the file: {error}.")
        else:
            outcome = opening.arrive(self.services, self.opened.id, image.number, etag=etag, size=size)
            if outcome in {"late", "gone"}:
                objects.delete(UPLOADS, [image.key])
                raise Expired(TOO_LATE)

    @property
    def opened(self) -> NewJob:
        """The job, which its first file opens."""
        if self._job is None:
            try:
                options = engine.parse_options(self._fields).model_dump(mode="json")
            except engine.InvalidOptions as error:
                raise BadOptions(str(error), errors=error.errors) from error
            self._job = opening.new_job()
            opening.open_job(self.services, self._job, self._owner, options)
            structlog.contextvars.bind_contextvars(job=self._job.id)
        return self._job

    def _add(self, name: str) -> NewImage:
        own = self.services.settings
        if self.count == own.max_files:
            raise TooMany(f"The job has more than the {own.max_files} files that are allowed.")
        job = self.opened
        self.count += 1
        image = NewImage(number=self.count, name=clean_name(name), key=posted_key(job.id, self.count))
        if not opening.add_images(self.services, job.id, [image]):
            raise Expired(TOO_LATE)
        return image

    def _fail(self, image: NewImage, code: str, reason: str) -> None:
        opening.fail_expected(self.services, self.opened.id, [image.number], code, reason)

    def seal(self) -> None:
        """All files are there.

        Raises:
            Problem: there is none.
        """
        if self.count == 0:
            raise Problem("There is no file in the request. Send the images as `files`.", code="no_files")
        opening.seal(self.services, self.opened.id)

    def abandon(self) -> None:
        """The request has failed: nothing of it is kept."""
        if self._job is not None:
            endings.abandon(self.services, self._job.id)


def store_posted(services: Services, event: Event) -> NewJob:
    """Store the images of a multipart body, and begin their job.

    Raises:
        Problem: the body, its number of files or the options are not allowed, or a server is away. Nothing is kept.
    """
    job = PostedJob(services, owner_of(event))
    try:
        for part in read_parts(event.stream, event.headers.get("Content-Type", "")):
            job.take(part)
        job.seal()
    except Expired:  # closed, and then what has come stays; or deleted
        raise
    except BaseException:
        job.abandon()
        raise
    log.info("job received", images=job.count, bytes=job.bytes)
    return job.opened
