"""When every job is over: nothing of it may be left."""

import time

from tests.chaos.book import Book, Job
from tests.chaos.senders import Client
from tests.chaos.world import World

SECONDS_TO_FORGET = 180
"""What no row knows is left alone for a minute, and looked for every half."""

MARKER = "countermark/generation.json"
"""The store's memory of how often it was compared with the rows, by which a restored database is known."""

OPEN = "SELECT token, state, reason FROM jobs WHERE state NOT IN ('ready', 'failed', 'expired', 'gone')"
LEFT = {
    "a ledger row": "SELECT bucket || '/' || key FROM ledger LIMIT 5",
    "an image's row": "SELECT job_id || '/' || number || ' ' || state FROM images LIMIT 5",
    "a message in the outbox": "SELECT subject FROM outbox LIMIT 5",
    "a job that is not over": "SELECT token || ' ' || source || ' ' || state FROM jobs WHERE state <> 'gone' LIMIT 5",
}


def expect_all_ended(world: World, book: Book, seconds: float = 60) -> None:
    """Also the jobs that no client knows of, because their acknowledgement was lost, have ended."""
    deadline = time.monotonic() + seconds
    while left := world.rows(OPEN):
        if time.monotonic() > deadline:
            for token, state, reason in left:
                book.find("stuck", f"job {token} is {state} ({reason})")
            return
        time.sleep(0.5)


def expect_nothing_given_up(world: World, book: Book) -> None:
    """No image and no ZIP was given up: the limit of attempts can't be reached by chance."""
    images = "SELECT token, number, images.reason FROM images JOIN jobs ON jobs.id = job_id WHERE code = 'given_up'"
    for row in world.rows(images):
        book.find("given up", f"image {row}")
    marked = "SELECT job_id FROM images WHERE state = 'done'"
    for row in world.rows(f"SELECT token, reason FROM jobs WHERE state = 'failed' AND id IN ({marked})"):
        book.find("given up", f"ZIP of job {row}")


def end_all(world: World, client: Client, jobs: list[Job]) -> None:
    """People delete half of their jobs; for all others the hour is over."""
    for job in jobs[::2]:
        if job.token and not job.gone:
            client.ask("DELETE", f"/job/{job.token}", accept=[404, 410])
    world.rows("UPDATE jobs SET expires_at = now() WHERE state IN ('ready', 'failed')")


def expect_nothing_left(world: World, book: Book) -> None:
    """No object but users' own files, no row but those that say that a job has been there."""
    deadline = time.monotonic() + SECONDS_TO_FORGET
    while left := _left(world):
        if time.monotonic() > deadline:
            for what, examples in left.items():
                book.find("left over", f"{what}: {examples}")
            return
        time.sleep(1)


def _left(world: World) -> dict[str, list[str]]:
    left = {what: [str(row[0]) for row in world.rows(sql)] for what, sql in LEFT.items()}
    for bucket in ("uploads", "results"):
        left[f"an object in {bucket}"] = sorted(world.objects(bucket) - {MARKER})[:5]
    return {what: examples for what, examples in left.items() if examples}
