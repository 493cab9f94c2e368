"""The database, as an administrator sees it: for what no caller is told, and to let time pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from countermark.servers.database import Database

from tests.platform_driver import wait_until

LONG_AGO = "2 hours"
"""Longer than anything may wait."""


@dataclass(frozen=True)
class Rows:
    """The rows of a platform."""

    url: str

    @cached_property
    def database(self) -> Database:
        """The database, with the functions' own password."""
        return Database(self.url)

    def ask(self, sql: str, **parameters: Any) -> list[Any]:
        """The rows of a statement."""
        return self.database.rows(sql, **parameters)

    def one(self, sql: str, **parameters: Any) -> Any:
        """The only value of a statement."""
        return self.database.call(sql, **parameters)

    def id_of(self, job: str) -> str:
        """The job's id in keys and messages."""
        found = self.one("SELECT id FROM jobs WHERE token = :token", token=job)
        assert found, f"there is no job {job}"
        return str(found)

    def folder_job(self, folder: str) -> str:
        """What opens the job of a drop folder; empty while there is none."""
        return self.one("SELECT token FROM jobs WHERE folder = :folder AND state <> 'gone'", folder=folder) or ""

    def grow_old(self, job: str, column: str, by: str = LONG_AGO) -> None:
        """Let a time of a job be earlier."""
        sql = f"UPDATE jobs SET {column} = {column} - CAST(:by AS interval) WHERE token = :token RETURNING id"
        assert self.ask(sql, by=by, token=job)

    def wait_for_a_sweep(self, begin: Callable[[], None]) -> None:
        """Wait until one has begun after another that was to be."""
        then = self.one("SELECT swept_at FROM sweeps")
        begin()
        wait_until(lambda: self.one("SELECT swept_at > :then FROM sweeps", then=then))

    def compare(self) -> None:
        """Let the next sweep compare the store with the rows."""
        wait_until(
            lambda: self.ask("UPDATE sweeps SET compared_at = '-infinity' WHERE comparing_until IS NULL RETURNING one")
        )

    def is_compared(self) -> bool:
        """Whether it has done so."""
        return bool(self.one("SELECT compared_at > '-infinity' FROM sweeps"))

    @contextmanager
    def failing(self, table: str, when: str, sqlstate: str, event: str = "UPDATE") -> Iterator["Failures"]:
        """Let every change of a row fail as the database does for a reason of its own.

        Args:
            when: which changes, in SQL: ``NEW.name = 'a.jpg'``.
            event: UPDATE or INSERT.
        """
        self._run(
            "CREATE SEQUENCE failures;"
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" PERFORM nextval('failures'); RAISE EXCEPTION SQLSTATE '{sqlstate}'; END $$;"
            f"CREATE TRIGGER failing BEFORE {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION fail()"
        )
        try:
            yield Failures(self)
        finally:
            self._run(f"DROP TRIGGER failing ON {table}; DROP FUNCTION fail; DROP SEQUENCE failures")

    def _run(self, statements: str) -> None:
        with self.database.transaction() as connection:
            connection.run(statements)


@dataclass(frozen=True)
class Failures:
    """Changes that failed."""

    rows: Rows

    @property
    def count(self) -> int:
        """How many; a sequence goes on also when its transaction is rolled back."""
        return int(self.rows.one("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM failures"))
