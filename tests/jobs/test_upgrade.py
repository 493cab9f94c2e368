"""A database of the first version is brought to this one, with its jobs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from countermark.names import clean_name, fold
from countermark.servers.database import Database
from countermark.services import Services
from countermark.testing import MemoryObjects, MemoryStream
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pg8000.native import Connection

from functions.reconcile.sweep import sweep
from functions.watermark.process import process
from tests.jobs.made import change, image_row, job_row, marked, picture
from tests.jobs.small import small_settings
from tests.jobs.test_naming import WORDS, Disk

JOBS = """
INSERT INTO jobs (id, source, folder, state, options, deadline_at, expires_at, archive_key) VALUES
    ('a1', 'upload', NULL, 'processing', '{"text": "x"}', now() + interval '1 hour', NULL, NULL),
    ('b2', 'drop', 'wedding', 'ready', '{}', now(), now() + interval '1 hour', 'drop/wedding.zip'),
    ('c3', 'upload', NULL, 'expired', '{}', now(), now(), NULL);
INSERT INTO images (job_id, number, name, bucket, key, state, result_key, result_name) VALUES
    ('a1', 1, 'a.jpg', 'uploads', 'direct/a1/1', 'waiting', NULL, NULL),
    ('a1', 2, 'a.jpg', 'uploads', 'direct/a1/2', 'done', 'a1/2', 'a.jpg'),
    ('a1', 3, 'a.png', 'uploads', 'posted/a1/3', 'waiting', NULL, NULL),
    ('b2', 1, 'b.png', 'drop', 'wedding/b.png', 'done', 'drop/wedding/b.png', 'b.png'),
    ('b2', 2, 'c.png', 'drop', 'wedding/c.png', 'waiting', NULL, NULL);
"""


def connect(address: str) -> Connection:
    """A connection without what the functions do at their first."""
    url = urlsplit(address)
    return Connection(url.username or "", host=url.hostname, port=url.port, database=url.path.lstrip("/"))


@contextmanager
def upgrade(postgres: str, fill: Callable[[Connection], object]) -> Iterator[Services]:
    """The functions on a database that was filled at the first version."""
    server = connect(postgres)
    server.run("DROP DATABASE IF EXISTS first_version")
    server.run("CREATE DATABASE first_version")
    server.close()
    address = postgres.rpartition("/")[0] + "/first_version"
    old = connect(address)
    old.run("CREATE TABLE migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL)")
    old.run("INSERT INTO migrations VALUES ('0001_jobs.sql', now())")
    old.run((resources.files("countermark.migrations") / "0001_jobs.sql").read_text(encoding="utf-8"))
    fill(old)
    old.close()
    database = Database(address)
    yield Services(
        settings=small_settings(address), database=database, objects=MemoryObjects(), publisher=MemoryStream()
    )
    database.close()


@pytest.fixture
def upgraded(postgres: str) -> Iterator[Services]:
    """The functions after the upgrade of these jobs."""
    with upgrade(postgres, lambda old: old.run(JOBS)) as own:
        yield own


def test_its_jobs_go_on(upgraded: Services) -> None:
    assert upgraded.database.rows("SELECT id, token, owner, state FROM jobs ORDER BY id") == [
        ["a1", "a1", "address:unknown", "processing"],
        ["b2", "b2", "drop:wedding", "ready"],
        ["c3", "c3", "address:unknown", "gone"],
    ]
    assert upgraded.database.rows("SELECT job_id, number, state, result_name FROM images ORDER BY 1, 2") == [
        ["a1", 1, "expected", "a.jpg"],  # the sweep looks whether it has come
        ["a1", 2, "done", "a.jpg"],
        ["a1", 3, "waiting", "a.png"],
        ["b2", 1, "done", "b.png"],
        ["b2", 2, "waiting", "c.png"],
    ]


def test_what_they_have_stored_is_in_the_ledger(upgraded: Services) -> None:
    keys = {(bucket, key) for bucket, key in upgraded.database.rows("SELECT bucket, key FROM ledger")}
    assert keys == {
        ("uploads", "direct/a1/1"),
        ("uploads", "direct/a1/2"),
        ("uploads", "posted/a1/3"),
        ("results", "a1/2"),
        ("drop", "wedding/b.png"),
        ("drop", "wedding/c.png"),
        ("results", "drop/wedding/b.png"),
        ("results", "drop/wedding.zip"),
    }


def test_whatever_has_come_is_marked(upgraded: Services) -> None:
    for bucket, key in (("uploads", "direct/a1/1"), ("uploads", "posted/a1/3"), ("drop", "wedding/c.png")):
        upgraded.objects.write(bucket, key, picture(), "image/png")
    change(upgraded, "UPDATE jobs SET options = '{}'")
    for _ in range(2):
        sweep(upgraded)
    places = [("a1", 1), ("a1", 3), ("b2", 2)]
    subjects = " ".join(upgraded.publisher.messages)  # type: ignore[attr-defined]
    for job, number in places:
        assert f"images.waiting.{job}.{number}." in subjects
        process(upgraded, job, number, image_row(upgraded, job, number).revision)
    assert [image_row(upgraded, *place).state for place in places] == ["done"] * 3
    assert [image_row(upgraded, "a1", number).result_name for number in (1, 2, 3)] == ["a.png", "a.jpg", "a (2).png"]


OPEN = ("receiving", "processing")
NAMES = st.lists(WORDS, min_size=1, max_size=4).map("".join).map(clean_name)
IMAGES = st.lists(st.tuples(st.sampled_from(["done", "done", "waiting", "failed"]), NAMES), max_size=6)
OLD_JOBS = st.lists(st.tuples(st.sampled_from([*OPEN, "archiving", "ready", "failed"]), IMAGES), max_size=8)
TOLD_APART = ["report.json", "report.json/a", "a", "a/b", "a/b/c", "a.jpg", "A.JPG", "x.jpg", "É", "é", "ß"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(dropped=OLD_JOBS, uploaded=OLD_JOBS)
@example(
    dropped=[("ready", [("done", name)]) for name in TOLD_APART]
    + [("failed", [("done", name) for name in TOLD_APART])],
    uploaded=[
        ("processing", [("done", name), ("waiting", name), ("done", other)]) for name, other in pairwise(TOLD_APART)
    ],
)
def test_no_two_images_get_one_name(postgres: str, dropped: list[Any], uploaded: list[Any]) -> None:
    jobs = [(f"d{number}", "drop", *job) for number, job in enumerate(dropped)]
    jobs += [(f"u{number}", "upload", *job) for number, job in enumerate(uploaded)]

    def fill(old: Connection) -> None:
        for job, source, state, images in jobs:
            old.run(
                "INSERT INTO jobs (id, source, folder, state, options, deadline_at)"
                " VALUES (:job, :source, :job, :state, '{}', now())",
                job=job,
                source=source,
                state=state,
            )
            for number, (image_state, name) in enumerate(images, 1):
                old.run(
                    "INSERT INTO images (job_id, number, name, bucket, key, state, result_key, result_name)"
                    " VALUES (:job, :number, :name, 'uploads', :key, :state, 'x', :name)",
                    job=job,
                    number=number,
                    name=name,
                    key=f"posted/{job}/{number}",
                    state="failed" if image_state == "waiting" and state not in OPEN else image_state,
                )

    with upgrade(postgres, fill) as own:
        for job, source, old_state, _ in jobs:
            waiting = own.database.rows(
                "SELECT number, revision, name FROM images WHERE job_id = :job AND state = 'waiting'", job=job
            )
            state = job_row(own, job).state
            assert state in OPEN if waiting else state == old_state
            for number, revision, name in waiting:
                marked(own, job, number, revision, name)
            if source == "upload" and state not in OPEN:
                continue  # it gets no more names
            disk = Disk()
            disk.write("report.json")
            for name, folded in own.database.rows(
                "SELECT result_name, folded_name FROM images WHERE job_id = :job AND state = 'done'", job=job
            ):
                disk.write(name)
                assert folded == fold(name)
