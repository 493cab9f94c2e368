"""A database of the first version is brought to this one, with its jobs."""

from collections.abc import Iterator
from importlib import resources
from urllib.parse import urlsplit

import pytest
from countermark.servers.database import Database
from pg8000.native import Connection

JOBS = """
INSERT INTO jobs (id, source, folder, state, options, deadline_at, expires_at, archive_key) VALUES
    ('a1', 'upload', NULL, 'processing', '{"text": "x"}', now() + interval '1 hour', NULL, NULL),
    ('b2', 'drop', 'wedding', 'ready', '{}', now(), now() + interval '1 hour', 'drop/wedding.zip'),
    ('c3', 'upload', NULL, 'expired', '{}', now(), now(), NULL);
INSERT INTO images (job_id, number, name, bucket, key, state, result_key, result_name) VALUES
    ('a1', 1, 'a.jpg', 'uploads', 'direct/a1/1', 'waiting', NULL, NULL),
    ('a1', 2, 'a.jpg', 'uploads', 'direct/a1/2', 'done', 'a1/2', 'a.jpg'),
    ('b2', 1, 'b.png', 'drop', 'wedding/b.png', 'done', 'drop/wedding/b.png', 'b.png'),
    ('b2', 2, 'c.png', 'drop', 'wedding/c.png', 'waiting', NULL, NULL);
"""


def connect(address: str) -> Connection:
    """A connection without what the functions do at their first."""
    url = urlsplit(address)
    return Connection(url.username or "", host=url.hostname, port=url.port, database=url.path.lstrip("/"))


@pytest.fixture
def upgraded(postgres: str) -> Iterator[Database]:
    """A database that had these jobs at the first version."""
    server = connect(postgres)
    server.run("DROP DATABASE IF EXISTS first_version")
    server.run("CREATE DATABASE first_version")
    server.close()
    address = postgres.rpartition("/")[0] + "/first_version"
    old = connect(address)
    old.run("CREATE TABLE migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL)")
    old.run("INSERT INTO migrations VALUES ('0001_jobs.sql', now())")
    old.run((resources.files("countermark.migrations") / "0001_jobs.sql").read_text(encoding="utf-8"))
    old.run(JOBS)
    old.close()
    database = Database(address)
    yield database
    database.close()


def test_its_jobs_go_on(upgraded: Database) -> None:
    assert upgraded.rows("SELECT id, token, owner, state FROM jobs ORDER BY id") == [
        ["a1", "a1", "address:unknown", "processing"],
        ["b2", "b2", "drop:wedding", "ready"],
        ["c3", "c3", "address:unknown", "gone"],
    ]
    assert upgraded.rows("SELECT job_id, number, state, result_name FROM images ORDER BY 1, 2") == [
        ["a1", 1, "expected", "a.jpg"],  # the sweep looks whether it has come
        ["a1", 2, "done", "a.jpg"],
        ["b2", 1, "done", "b.png"],
        ["b2", 2, "waiting", "c.png"],
    ]


def test_what_they_have_stored_is_in_the_ledger(upgraded: Database) -> None:
    keys = {(bucket, key) for bucket, key in upgraded.rows("SELECT bucket, key FROM ledger")}
    assert keys == {
        ("uploads", "direct/a1/1"),
        ("uploads", "direct/a1/2"),
        ("results", "a1/2"),
        ("drop", "wedding/b.png"),
        ("drop", "wedding/c.png"),
        ("results", "drop/wedding/b.png"),
        ("results", "drop/wedding.zip"),
    }
