"""An image that waits becomes a marked copy in the results, once, however often its message comes."""

from pathlib import PurePosixPath

import structlog
from countermark import engine
from countermark.engine.cache import ByteCache
from countermark.http.cells import edited
from countermark.http.problems import Unavailable
from countermark.jobs import images
from countermark.jobs.images import Result, Taken
from countermark.jobs.leases import kept
from countermark.jobs.reading import options_as_hashed
from countermark.jobs.states import ImageState, Source
from countermark.jobs.view import publish_image
from countermark.names import with_extension
from countermark.servers.objects import RESULTS, NoSuchObject, ObjectTooLarge, Refused, Replaced
from countermark.services import Services

log = structlog.get_logger()

KNOWN_EXTENSIONS = frozenset(extension for kind in engine.FORMATS.values() for extension in kind.extensions)


class OptionsChanged(Exception):
    """The job has other options than when the image was taken: its next revision waits."""


_options: ByteCache[engine.Options] = ByteCache(max_bytes=64, size=lambda _: 1)
"""Of 64 hashes."""


def options_of(own: Services, job_id: str, options_hash: str) -> engine.Options:
    """The options of a job, which its images share, and often other jobs as well.

    Raises:
        OptionsChanged: they are not those of the hash any more; what was kept under it would be wrong for ever.
    """

    def load() -> engine.Options:
        options = options_as_hashed(own, job_id, options_hash)
        if options is None:
            raise OptionsChanged
        return engine.load_options(options)

    return _options.get(options_hash, load)


def process(own: Services, job_id: str, number: int, revision: int) -> None:
    """Mark an image, if that is still to be done and nobody else is at it.

    Raises:
        Unavailable: a server does not answer, or there is no memory for the image now; it is free for the next
            delivery, and nothing is counted.
        Exception: a fault of ours; it counts as a failed attempt.
    """
    structlog.contextvars.bind_contextvars(job=job_id, image=number)
    taken = images.take(own, job_id, number, revision)
    if taken is None:
        log.info("nothing to do", revision=revision)
        return
    try:
        with kept(taken.lease, lambda: images.renew(own, taken), seconds=own.settings.lease_seconds):
            _mark(own, taken)
    except BaseException as error:
        images.release(own, job_id, number, taken.lease, counted=not isinstance(error, Unavailable))
        raise


def _mark(own: Services, taken: Taken) -> None:
    """Make the image's result, or say why it can't be made."""
    if taken.options_problem:
        images.fail(own, taken, "invalid_options", taken.options_problem)
        return
    try:
        data, _ = own.objects.read(taken.bucket, taken.key, limit=own.settings.max_file_bytes, etag=taken.etag)
        result = edited(
            data,
            options_of(own, taken.job_id, taken.options_hash),
            own.settings,
            scope=taken.job_id,
            name=PurePosixPath(taken.name).name,
            number=taken.number,
        )
        own.objects.write(RESULTS, taken.result_key, result.data, result.media_type)
    except OptionsChanged:
        log.info("in vain", revision=taken.revision)
    except NoSuchObject:
        _lose(own, taken)
    except Replaced:
        _replace(own, taken)
    except ObjectTooLarge:
        limit = own.settings.max_file_bytes // (1024 * 1024)
        _fail(own, taken, "file_too_large", f"The file is larger than the {limit} MiB that are allowed.")
    except Refused as error:
        _fail(own, taken, "refused_by_store", f"The object store does not give or take the file: {error}.")
    except engine.ImageError as error:
        _fail(own, taken, error.code, str(error))
    else:
        _finish(own, taken, result, len(data))


def _finish(own: Services, taken: Taken, marked: engine.Edited, size: int) -> None:
    result = Result(
        bytes=len(marked.data),
        name=with_extension(taken.name, marked.extensions, KNOWN_EXTENSIONS),
        format=marked.format,
        width=marked.width,
        height=marked.height,
        notes={code: engine.NOTES[code] for code in marked.notes},
    )
    name = images.finish(own, taken, size, result)
    if name is None:
        log.info("in vain", revision=taken.revision)
        own.objects.delete(RESULTS, [taken.result_key])
        return
    log.info("image done", bytes=size, result_bytes=result.bytes)
    if taken.view_prefix is not None:
        publish_image(own, taken.job_id, taken.number, taken.result_key, taken.view_prefix + name)


def _fail(own: Services, taken: Taken, code: str, reason: str) -> None:
    log.info("image failed", code=code, reason=reason)
    images.fail(own, taken, code, reason)


def _lose(own: Services, taken: Taken) -> None:
    """The original is gone: a dropped file that its owner took away leaves the job."""
    if taken.source == Source.DROP:
        log.info("image removed")
        images.fail(own, taken, "removed", "The file was taken out of the folder.", state=ImageState.REMOVED)
    else:
        _fail(own, taken, "missing", "The file was deleted before it could be processed.")


def _replace(own: Services, taken: Taken) -> None:
    """There is another file by now: it is marked as the next revision."""
    try:
        item = own.objects.stat(taken.bucket, taken.key)
    except NoSuchObject:
        _lose(own, taken)
    else:
        log.info("image replaced")
        images.replace(own, taken, item)
