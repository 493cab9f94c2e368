"""An object that has arrived becomes a marked copy in the results, once, however often its message comes."""

from pathlib import PurePosixPath

import structlog
from countermark import engine
from countermark.events import ObjectCreated
from countermark.jobs import Ending, Image, Job, Result
from countermark.names import with_extension
from countermark.objects import DROP, RESULTS, NoSuchObject, ObjectTooLarge
from countermark.services import Services
from countermark.settings import Settings

from .drop import adopt

log = structlog.get_logger()

KNOWN_EXTENSIONS = frozenset(extension for kind in engine.FORMATS.values() for extension in kind.extensions)


def engine_limits(own: Settings) -> engine.Limits:
    """The engine's limits as they are set."""
    return engine.Limits(max_pixels=own.max_pixels, max_bytes=own.max_file_bytes, seconds=own.max_seconds)


def process_object(services: Services, created: ObjectCreated) -> None:
    """Mark the image at a place in the object store, and complete its job if it was the last.

    Raises:
        Unavailable: a server does not answer; nothing is lost when the message comes again.
    """
    found = (
        adopt(services, created) if created.bucket == DROP else services.jobs.find_image(created.bucket, created.key)
    )
    if found is None:
        log.info("no image of a job", bucket=created.bucket, key=created.key)
        return
    job, image = found
    structlog.contextvars.bind_contextvars(job=job.id, image=image.number)
    if job.state == "expired":
        services.objects.delete(image.bucket, [image.key])
        return
    ending = _process(services, job, image) if image.state == "waiting" else Ending.of(job.state)
    if ending is Ending.COMPLETE:
        services.events.publish_complete(job.id, job.revision)


def _process(services: Services, job: Job, image: Image) -> Ending:
    own = services.settings
    if job.options_problem:
        return _fail(services, image, "invalid_options", job.options_problem)
    if image.number > own.max_files:
        reason = f"The folder has more than the {own.max_files} files that are allowed."
        return _fail(services, image, "too_many_files", reason)
    etag = None
    try:
        data, etag = services.objects.read(image.bucket, image.key, limit=own.max_file_bytes)
        edited = engine.process(
            data,
            engine.load_options(job.options),
            name=PurePosixPath(image.name).name,
            number=image.number,
            limits=engine_limits(own),
        )
    except NoSuchObject:
        return _fail(services, image, "missing", "The file was deleted before it could be processed.")
    except ObjectTooLarge:
        reason = f"The file is larger than the {own.max_file_bytes // (1024 * 1024)} MiB that are allowed."
        return _fail(services, image, "file_too_large", reason)
    except engine.ImageError as error:
        return _fail(services, image, error.code, str(error), etag)
    ending = _store(services, job, image, edited, etag, len(data))
    log.info("image done", bytes=len(data), result_bytes=len(edited.data), ending=ending.value)
    return ending


def _store(services: Services, job: Job, image: Image, edited: engine.Edited, etag: str, size: int) -> Ending:
    name = with_extension(image.name, edited.extensions, KNOWN_EXTENSIONS)
    key = _result_key(services, job, image, name)
    services.objects.write(RESULTS, key, edited.data, edited.media_type)
    result = Result(
        key=key, bytes=len(edited.data), name=name, format=edited.format, width=edited.width, height=edited.height
    )
    ending = services.jobs.finish_image(image, result, etag=etag, size=size)
    if ending is Ending.GONE:
        services.objects.delete(RESULTS, [key])
    return ending


def _fail(services: Services, image: Image, code: str, reason: str, etag: str | None = None) -> Ending:
    log.info("image failed", code=code, reason=reason)
    return services.jobs.fail_image(image, code, reason, etag=etag)


def _result_key(services: Services, job: Job, image: Image, name: str) -> str:
    """Where the result goes: decided by job and image, so that doing it twice writes the same object twice."""
    if image.bucket != DROP:
        return f"{job.id}/{image.number}"
    folder = f"{DROP}/{job.folder}/" if job.folder else f"{DROP}/"
    if name == image.name or not services.objects.exists(DROP, f"{folder}{name}".removeprefix(f"{DROP}/")):
        return folder + name
    # A name that got another ending must not take the place of a file that has this name.
    path = PurePosixPath(name)
    return folder + str(path.with_name(f"{path.stem} ({image.number}){path.suffix}"))
