"""An object that has arrived becomes a marked copy in the results, once, however often its message comes."""

from functools import lru_cache
from pathlib import PurePosixPath

import structlog
from countermark import engine
from countermark.http.edit import engine_limits
from countermark.jobs import Ending, Image, Job, Result
from countermark.names import with_extension
from countermark.servers.events import ObjectCreated
from countermark.servers.objects import DROP, RESULTS, NoSuchObject, ObjectTooLarge
from countermark.services import services

from .drop import adopt

log = structlog.get_logger()

KNOWN_EXTENSIONS = frozenset(extension for kind in engine.FORMATS.values() for extension in kind.extensions)


@lru_cache(maxsize=64)
def job_options(job_id: str, options_hash: str) -> engine.Options:  # noqa: ARG001 -- part of the key
    """The options of a job, which its images share."""
    return engine.load_options(services().jobs.options(job_id))


def process_object(created: ObjectCreated) -> None:
    """Mark the image at a place in the object store, and complete its job if it was the last.

    Raises:
        Unavailable: a server does not answer; nothing is lost when the message comes again.
    """
    own = services()
    found = adopt(own, created) if created.bucket == DROP else own.jobs.find_image(created.bucket, created.key)
    if found is None:
        log.info("no image of a job", bucket=created.bucket, key=created.key)
        return
    job, image = found
    structlog.contextvars.bind_contextvars(job=job.id, image=image.number)
    if job.state == "expired":
        own.objects.delete(image.bucket, [image.key])
        return
    ending = mark(job, image) if image.state == "waiting" else Ending.of(job.state)
    if ending is Ending.COMPLETE:
        own.events.publish_complete(job.id, job.revision)


def mark(job: Job, image: Image) -> Ending:
    """Make the image's result, or say why it can't be made."""
    own = services()
    own.jobs.begin_image(image)
    if job.options_problem:
        return fail(image, "invalid_options", job.options_problem)
    if image.number > own.settings.max_files:
        reason = f"The folder has more than the {own.settings.max_files} files that are allowed."
        return fail(image, "too_many_files", reason)
    etag = None
    try:
        data, etag = own.objects.read(image.bucket, image.key, limit=own.settings.max_file_bytes)
        edited = engine.process(
            data,
            job_options(job.id, job.options_hash),
            name=PurePosixPath(image.name).name,
            number=image.number,
            limits=engine_limits(own.settings),
        )
    except NoSuchObject:
        return fail(image, "missing", "The file was deleted before it could be processed.")
    except ObjectTooLarge:
        reason = f"The file is larger than the {own.settings.max_file_bytes // (1024 * 1024)} MiB that are allowed."
        return fail(image, "file_too_large", reason)
    except engine.ImageError as error:
        return fail(image, error.code, str(error), etag)
    ending = store(job, image, edited, etag, len(data))
    log.info("image done", bytes=len(data), result_bytes=len(edited.data), ending=ending.value)
    return ending


def store(job: Job, image: Image, edited: engine.Edited, etag: str, size: int) -> Ending:
    """Store the result and record it; nothing of a job that was deleted meanwhile is kept."""
    own = services()
    name = with_extension(image.name, edited.extensions, KNOWN_EXTENSIONS)
    key = result_key(job, image, name)
    own.objects.write(RESULTS, key, edited.data, edited.media_type)
    result = Result(
        key=key, bytes=len(edited.data), name=name, format=edited.format, width=edited.width, height=edited.height
    )
    ending = own.jobs.finish_image(image, result, etag=etag, size=size)
    if ending is Ending.GONE:
        own.objects.delete(RESULTS, [key])
    return ending


def fail(image: Image, code: str, reason: str, etag: str | None = None) -> Ending:
    """Record why the image can't be marked."""
    log.info("image failed", code=code, reason=reason)
    return services().jobs.fail_image(image, code, reason, etag=etag)


def result_key(job: Job, image: Image, name: str) -> str:
    """Where the result goes: decided by job and image, so that doing it twice writes the same object twice."""
    if image.bucket != DROP:
        return f"{job.id}/{image.number}"
    folder = f"{job.folder}/" if job.folder else ""
    if name != image.name and is_there(DROP, folder + name):
        # A name that got another ending must not take the place of a file that has this name.
        path = PurePosixPath(name)
        name = str(path.with_name(f"{path.stem} ({image.number}){path.suffix}"))
    return f"{DROP}/{folder}{name}"


def is_there(bucket: str, key: str) -> bool:
    """Whether there is such an object."""
    try:
        services().objects.stat(bucket, key)
    except NoSuchObject:
        return False
    return True
