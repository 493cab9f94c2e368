"""Settings that a few steps reach, and a database without a row."""

from typing import Any
from urllib.parse import urlsplit

from countermark.jobs.rows import SEEN_COLUMNS, Seen, fetch
from countermark.servers.connection import Connection
from countermark.servers.database import Database
from countermark.settings import Settings

DAY = 24 * 3600


def small_settings(url: str, **changed: object) -> Settings:
    """The settings of the functions; of the servers only the database is one."""
    values: dict[str, object] = {
        "database_url": url,
        "nats_url": "nats://nobody:4222",
        "s3_endpoint": "http://nobody",
        "s3_access_key": "nobody",
        "s3_secret_key": "nothing",
        "line_share": 2,
        "lease_seconds": DAY,  # time passes when a test says so, and not while it runs
        "drop_quiet": DAY,
        "image_attempts": 3,
        "archive_attempts": 3,
    }
    return Settings(**(values | changed))


def clean(database: Database) -> None:
    """Take every row out; the files of tables begin anew, so that rows come in the same order each time."""
    with database.transaction() as connection:
        connection.run("TRUNCATE outbox, ledger, images, jobs RESTART IDENTITY")
        connection.run(
            "UPDATE sweeps SET swept_at = now(), compared_at = '-infinity', comparing_until = NULL, generation = 0"
        )


class Look:
    """A connection of the test's own that asks without a transaction around each question: it asks a lot."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = Connection(
            parts.username or "", host=parts.hostname, port=parts.port, database=parts.path.lstrip("/")
        )

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def rows(self, sql: str, **parameters: Any) -> list[Any]:
        """The rows of one statement, or nothing of several."""
        return self._connection.run(sql, **parameters)

    def call(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row."""
        rows = self.rows(sql, **parameters)
        return rows[0][0] if rows else None

    def seen(self) -> list[Seen]:
        """All jobs as people see them."""
        return fetch(Seen, self._connection, f"SELECT {SEEN_COLUMNS} FROM jobs")

    def table(self, name: str, order: str = "") -> list[dict[str, Any]]:
        """All rows of a table by the names of its columns."""
        rows = self._connection.run(f"SELECT * FROM {name} {order}")
        names = [column["name"] for column in self._connection.columns]
        return [dict(zip(names, row, strict=True)) for row in rows]
