"""Objects in the drop bucket: which of them are images, which folder's job they belong to, and the folder's options."""

import structlog
from countermark import engine
from countermark.http.calls import json_object
from countermark.http.problems import Problem
from countermark.jobs import Image, Job
from countermark.names import clean_name, is_leftover
from countermark.servers.events import RECONCILE_JOB, ObjectCreated
from countermark.servers.objects import DROP, NoSuchObject, ObjectTooLarge
from countermark.services import Services

log = structlog.get_logger()

OPTIONS_NAME = "countermark.json"
OPTIONS_BYTES = 1024 * 1024


def adopt(services: Services, created: ObjectCreated) -> tuple[Job, Image] | None:
    """The job and image of an object in the drop bucket; None when it is no image or was not to be processed.

    The first part of the key is the folder; an object beside the folders belongs to the folder without a name.
    """
    folder, _, name = created.key.partition("/") if "/" in created.key else ("", "", created.key)
    if created.key.endswith("/") or is_leftover(created.key):
        return None
    if name == OPTIONS_NAME:
        _take_options(services, folder)
        return None
    options, problem = ({}, None) if services.drops.is_open(folder) else _read_options(services, folder)
    if problem:
        services.drops.set_options(folder, options, problem=problem)
    job, image, changed = services.drops.adopt(
        folder,
        name=clean_name(name),
        bucket=DROP,
        key=created.key,
        etag=created.etag,
        size=created.bytes,
        options=options,
    )
    if changed and job.quiet_at:
        services.events.schedule(RECONCILE_JOB, {"job": job.id}, name=job.id, at=job.quiet_at)
    return job, image


def _take_options(services: Services, folder: str) -> None:
    """The folder's options have come or changed: images that were made with others are made again."""
    if not services.drops.is_open(folder):
        return  # its first image will read them
    options, problem = _read_options(services, folder)
    job, images = services.drops.set_options(folder, options, problem=problem)
    log.info("options of a folder", job=job.id, problem=problem, again=len(images))
    for image in images:
        created = ObjectCreated(bucket=image.bucket, key=image.key, etag=image.etag or "")
        services.events.publish_created(created, again=f"{job.id}/{image.revision}")
    if job.quiet_at:
        services.events.schedule(RECONCILE_JOB, {"job": job.id}, name=job.id, at=job.quiet_at)


def _read_options(services: Services, folder: str) -> tuple[dict[str, object], str | None]:
    """The folder's options, and what is wrong with them."""
    key = f"{folder}/{OPTIONS_NAME}" if folder else OPTIONS_NAME
    try:
        data, _ = services.objects.read(DROP, key, limit=OPTIONS_BYTES)
        options = json_object(data)
        engine.load_options(options)
    except NoSuchObject:
        return {}, None
    except ObjectTooLarge:
        return {}, f"{OPTIONS_NAME} is too large to be a file of options."
    except Problem as problem:
        return {}, f"{OPTIONS_NAME}: {problem.detail}"
    except engine.InvalidOptions as error:
        return {}, f"{OPTIONS_NAME}: {error}"
    return options, None
