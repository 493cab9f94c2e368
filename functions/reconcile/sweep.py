"""The reconciliation: rows and objects are the truth, and a message that is missing is sent.

All of it may run at any time, twice, or at once in two places: messages have ids by which the stream drops a second
copy of one that it has had, and whoever gets one twice finds the work done.
"""

from itertools import groupby

import structlog
from countermark.jobs import Ending
from countermark.servers.events import JOB_EXPIRED, ObjectCreated
from countermark.servers.objects import DROP, UPLOADS
from countermark.services import Services

log = structlog.get_logger()


def settle(services: Services, job_id: str) -> None:
    """Let a job go on whose deadline has passed or whose folder has gone quiet."""
    ending = services.jobs.settle(job_id, given_up="It did not arrive, or could not be finished in time.")
    if ending is Ending.COMPLETE:
        job = services.jobs.find_job(job_id)
        if job:
            services.events.publish_complete(job_id, job.revision)


def sweep(services: Services) -> None:
    """Send every message that should have been sent."""
    for job_id in services.overdue.due():
        settle(services, job_id)
    for job in services.overdue.archiving():
        services.events.publish_complete(job.id, job.revision)
    for job_id in services.overdue.expired():
        services.events.publish(JOB_EXPIRED, {"job": job_id}, f"expired/{job_id}")
    announced = announce_uploads(services) + announce_drops(services)
    services.overdue.purge()
    if announced:
        log.info("swept", announced=announced)


def announce_uploads(services: Services) -> int:
    """Announce uploads that have landed and are still waiting; the stream drops those that it knows."""
    count = 0
    waiting = (image for image in services.overdue.waiting() if image.bucket == UPLOADS)
    for prefix, images in groupby(waiting, key=lambda image: image.key.rpartition("/")[0]):
        stored = {item.key for item in services.objects.list(UPLOADS, f"{prefix}/")}
        for image in images:
            if image.key in stored:
                services.events.publish_created(ObjectCreated(bucket=UPLOADS, key=image.key))
                count += 1
    return count


def announce_drops(services: Services) -> int:
    """Announce objects in the drop bucket that belong to no job, or were replaced since, or are still waiting."""
    count = 0
    known = services.drops.known(DROP)
    waiting = {image.key: image for image in services.overdue.waiting() if image.bucket == DROP}
    for item in services.objects.list(DROP):
        if known.get(item.key) != item.etag or item.key in waiting:
            created = ObjectCreated(bucket=DROP, key=item.key, etag=item.etag, bytes=item.bytes, time=item.time)
            image = waiting.get(item.key)
            again = f"{image.job_id}/{image.revision}" if image and image.revision else ""
            services.events.publish_created(created, again)
            count += 1
    return count
