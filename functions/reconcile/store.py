"""The store compared with the rows: what was announced and lost, what is out of date, and what nobody knows.

A restored older database does not know what was stored since. The store remembers how often it was compared: when it
has seen more than the database, nothing unknown is deleted until the operator agrees.
"""

import json
from collections.abc import Iterable
from functools import partial

import structlog
from countermark.jobs import comparing, folders, opening, view
from countermark.jobs.keys import OPTIONS_NAME, direct_image, options_key, split_drop_key
from countermark.jobs.leases import kept
from countermark.jobs.sweeping import alone
from countermark.servers.objects import DROP, RESULTS, UPLOADS, NoSuchObject, Object
from countermark.services import Services

log = structlog.get_logger()

COMPARE_SECONDS = 30
"""From one comparison to the next; each lists every object."""
GRACE_SECONDS = 60
"""An object that no row knows is left alone for so long."""
MARKER = "countermark/generation.json"
"""In `results`: the number of the last comparison."""
BATCH = 1000


def compare_store(own: Services) -> dict[str, int]:
    """Compare, if it is time. Returns what was done, as counts.

    It may take minutes, in which other sweeps run.

    Raises:
        Unavailable: a server is away.
    """
    if not comparing.begin(own, COMPARE_SECONDS):
        return {}
    with kept("comparison", partial(comparing.renew, own), seconds=own.settings.lease_seconds):
        try:
            return _compare(own)
        finally:
            comparing.end(own)


def _compare(own: Services) -> dict[str, int]:
    now = comparing.now(own)
    counts = alone(take_dropped, own, now) or {}
    uploads, results = list(own.objects.list(UPLOADS)), list(own.objects.list(RESULTS))
    counts["arrived"] = alone(take_arrived, own, uploads) or 0
    trees = view.trees(results)
    counts["published"] = sum(alone(view.publish, own, job, trees) or 0 for job in comparing.folder_jobs(own))
    may_delete = is_newest(own)
    for bucket, listed in ((UPLOADS, uploads), (RESULTS, results)):
        old = [item.key for item in listed if item.time < now - GRACE_SECONDS and item.key != MARKER]
        batches = (old[start : start + BATCH] for start in range(0, len(old), BATCH))
        deleted = (alone(delete_unknown, own, bucket, batch, may_delete=may_delete) or 0 for batch in batches)
        counts[f"unknown in {bucket}"] = sum(deleted)
    return counts


def take_dropped(own: Services, now: float) -> dict[str, int]:
    """Take what lies in `drop` and no job has as it is; let options go that are there no more, and delete those whose
    folder has long been empty."""
    listed = list(own.objects.list(DROP))
    known, options = comparing.dropped_objects(own), comparing.folder_options(own)
    used = {split_drop_key(item.key)[0] for item in listed if split_drop_key(item.key)[1] != OPTIONS_NAME}
    waiting: set[str] = set()  # folders whose former job is not gone
    taken = deleted = 0
    for item in listed:
        folder, name = split_drop_key(item.key)
        if name != OPTIONS_NAME:
            if known.get(item.key) != item.etag and folder not in waiting:
                taken += alone(_take, own, item.key, waiting) or 0
        elif folder in options:
            if options[folder] != item.etag:
                taken += alone(_take, own, item.key, waiting) or 0
        elif folder not in used and item.time < now - own.settings.upload_seconds:
            deleted += alone(own.objects.delete_if, DROP, item.key, item.etag, time=item.time) or 0
    there = {item.key for item in listed}
    for folder, etag in options.items():
        if etag and options_key(folder) not in there:
            taken += alone(folders.set_options, own, folder) == "changed"
    return {"dropped": taken, "options deleted": deleted}


def _take(own: Services, key: str, waiting: set[str]) -> bool:
    """Take an object as it is now: it may have been replaced or deleted since it was listed."""
    try:
        return folders.take(own, own.objects.stat(DROP, key)) in {"adopted", "changed"}
    except NoSuchObject:
        return False
    except folders.NotYet:
        waiting.add(split_drop_key(key)[0])
        return False


def take_arrived(own: Services, uploads: Iterable[Object]) -> int:
    """Tell the rows of originals that have come by a link without being announced."""
    expected = comparing.expected_images(own)
    count = 0
    for item in uploads:
        found = direct_image(item.key)
        if found in expected and found is not None:
            count += opening.arrive(own, *found, etag=item.etag, size=item.bytes) == "arrived"
    return count


def delete_unknown(own: Services, bucket: str, keys: list[str], *, may_delete: bool) -> int:
    """Delete the objects that no row of the ledger knows, and return how many they were.

    They were listed before this asks for the rows: an object that is written in between has its row already, for that
    comes first.
    """
    unknown = sorted(set(keys) - comparing.known_keys(own, bucket, keys))
    if not unknown:
        return 0
    if not may_delete:
        log.warning("objects that the restored database does not know are kept", bucket=bucket, keys=unknown)
        return 0
    log.warning("objects that nobody knows are deleted", bucket=bucket, keys=unknown)
    own.objects.delete(bucket, unknown)
    return len(unknown)


def is_newest(own: Services) -> bool:
    """Whether the database is at least as new as what the store remembers; if so, both count this comparison."""
    try:
        data, _ = own.objects.read(RESULTS, MARKER, limit=1000)
        seen = int(json.loads(data)["generation"])
    except NoSuchObject:
        seen = 0
    except (ValueError, KeyError, TypeError):
        log.exception("the mark of the last comparison can't be read: nothing unknown is deleted", key=MARKER)
        return False
    generation = comparing.count_comparison(own, seen)
    if generation is None:
        log.error(
            "the database is older than the store, so it was restored. Nothing unknown is deleted until somebody"
            " deletes the mark of the last comparison",
            bucket=RESULTS,
            key=MARKER,
        )
        return False
    own.objects.write(RESULTS, MARKER, json.dumps({"generation": generation}).encode(), "application/json")
    return True
