"""The store compared with the rows: what was announced and lost, what is out of date, and what nobody knows.

A restored older database does not know what was stored since. The store remembers how often it was compared: when it
has seen more than the database, nothing unknown is deleted until the operator agrees.
"""

import json
from collections.abc import Iterable

import structlog
from countermark.jobs import comparing, folders, opening, view
from countermark.jobs.keys import OPTIONS_NAME, direct_image, split_drop_key
from countermark.jobs.sweeping import alone
from countermark.servers.objects import DROP, RESULTS, UPLOADS, NoSuchObject, Object
from countermark.services import Services

log = structlog.get_logger()

COMPARE_SECONDS = 30
"""Between two comparisons; each lists every object."""
GRACE_SECONDS = 60
"""An object that no row knows is left alone for so long."""
MARKER = "countermark/generation.json"
"""In `results`: the number of the last comparison."""
BATCH = 1000


def compare_store(own: Services) -> dict[str, int]:
    """Compare, if it is time. Returns what was done, as counts.

    Raises:
        Unavailable: a server is away.
    """
    if not comparing.is_due(own, COMPARE_SECONDS):
        return {}
    now = comparing.now(own)
    counts = take_dropped(own, now)
    uploads, results = list(own.objects.list(UPLOADS)), list(own.objects.list(RESULTS))
    counts["arrived"] = take_arrived(own, uploads)
    trees = view.trees(results)
    counts["published"] = sum(alone(view.publish, own, job, trees) or 0 for job in comparing.folder_jobs(own))
    may_delete = is_newest(own)
    for bucket, listed in ((UPLOADS, uploads), (RESULTS, results)):
        old = [item.key for item in listed if item.time < now - GRACE_SECONDS and item.key != MARKER]
        counts[f"unknown in {bucket}"] = delete_unknown(own, bucket, old, may_delete=may_delete)
    return counts


def take_dropped(own: Services, now: float) -> dict[str, int]:
    """Take what lies in `drop` and no job has as it is; delete options whose folder has long been empty."""
    listed = list(own.objects.list(DROP))
    known, options = comparing.dropped_objects(own), comparing.folder_options(own)
    used = {split_drop_key(item.key)[0] for item in listed if split_drop_key(item.key)[1] != OPTIONS_NAME}
    taken = deleted = 0
    for item in listed:
        folder, name = split_drop_key(item.key)
        if name != OPTIONS_NAME:
            taken += known.get(item.key) != item.etag and _take(own, item)
        elif folder in options:
            taken += options[folder] != item.etag and _take(own, item)
        elif folder not in used and item.time < now - own.settings.upload_seconds:
            deleted += own.objects.delete_if(DROP, item.key, item.etag)
    return {"dropped": taken, "options deleted": deleted}


def _take(own: Services, item: Object) -> bool:
    try:
        return alone(folders.take, own, item) in {"adopted", "changed"}
    except folders.NotYet:
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


def delete_unknown(own: Services, bucket: str, listed: list[str], *, may_delete: bool) -> int:
    """Delete the objects that no row of the ledger knows, and return how many they were.

    They were listed before this asks for the rows: an object that is written in between has its row already, for that
    comes first.
    """
    count = 0
    for start in range(0, len(listed), BATCH):
        keys = listed[start : start + BATCH]
        unknown = sorted(set(keys) - comparing.known_keys(own, bucket, keys))
        if unknown and not may_delete:
            log.warning("objects that the restored database does not know are kept", bucket=bucket, keys=unknown)
        elif unknown:
            log.warning("objects that nobody knows are deleted", bucket=bucket, keys=unknown)
            own.objects.delete(bucket, unknown)
            count += len(unknown)
    return count


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
