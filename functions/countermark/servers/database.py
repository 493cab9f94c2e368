"""PostgreSQL: the connections of a process, and the migrations."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import structlog
from pg8000.exceptions import DatabaseError, InterfaceError

from countermark.http.problems import Problem, Unavailable
from countermark.servers.connection import Connection

log = structlog.get_logger()

Answer = TypeVar("Answer")

MIGRATION_LOCK = 0x636D
"""The advisory lock that lets one process at a time apply migrations."""

BEGIN = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '5s'"
"""The server ends a transaction that says nothing for so long: a host that is lost in the middle of one would keep the
row of its job locked, and with it every image of the job, until TCP gives up after hours."""

_AWAY = (InterfaceError, OSError)
_OF_THE_INPUT = "22"
"""How the SQLSTATE codes begin of values that no column takes, such as a text with a zero byte."""
_FOR_NOW = ("08", "25P03", "40", "53", "55P03", "57P", "58")
"""How the SQLSTATE codes begin that tell of the server and not of the statement: no connection, a transaction that was
silent or that had to give way, no room left (disk, memory, connections), a server that stops or starts, a broken disk.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""


class Database:
    """Statements and transactions on the database at a URL, from any thread.

    A connection is lent to one thread at a time, and the one that was used last goes first: so they are few, and the
    server has what it compiles for each. One that broke is replaced. A statement by itself is a transaction of its own
    and one round trip. A pooler may give each transaction another session.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._free: list[Connection] = []
        self._migrated = False
        self._lock = threading.Lock()

    def call(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row of one statement that may be run twice; None without a row.

        Raises:
            Unavailable: the server does not answer, also on a new connection.
        """
        rows = self.rows(sql, **parameters)
        return rows[0][0] if rows else None

    def rows(self, sql: str, **parameters: Any) -> list[Any]:
        """The rows of one statement that may be run twice, each a list of columns.

        Raises:
            Unavailable: the server does not answer, also on a new connection.
        """
        return self.query(lambda connection: connection.run(sql, **parameters))

    def query(self, ask: Callable[[Connection], Answer]) -> Answer:
        """The answer to one statement that may be run twice, made of it by whoever asks.

        Raises:
            Unavailable: the server does not answer, also on a new connection.
        """
        try:
            return self._ask(ask)
        except Unavailable:
            return self._ask(ask)

    def _ask(self, ask: Callable[[Connection], Answer]) -> Answer:
        with self._lent() as connection:
            return ask(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection inside a transaction of several statements.

        It is committed at the end, and rolled back on an exception.

        Raises:
            Unavailable: the server does not answer, or stopped in the middle.
        """
        with self._lent() as connection:
            connection.run(BEGIN)
            yield connection
            connection.run("COMMIT")

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        """A connection; what goes wrong with the server is told as callers know it.

        Whatever goes wrong, the connection is not used again, and the server rolls back what was open in it.
        """
        connection: Connection | None = None
        try:
            connection = self._connection()
            yield connection
        except _AWAY as error:
            _leave(connection)
            raise _away(error) from error
        except DatabaseError as error:
            _leave(connection)
            if _sqlstate(error).startswith(_FOR_NOW):
                raise _away(error) from error
            if _sqlstate(error).startswith(_OF_THE_INPUT):
                raise Problem("The request has a character or a number that can't be stored.") from error
            raise
        except BaseException:
            _leave(connection)
            raise
        self._free.append(connection)

    def _connection(self) -> Connection:
        """One that nobody uses; those that the server has ended meanwhile are left."""
        while True:
            try:
                kept = self._free.pop()
            except IndexError:
                return self._connect()
            if not kept.is_left:
                return kept
            _leave(kept)

    def _connect(self) -> Connection:
        connection = self._open()
        try:
            with self._lock:
                if not self._migrated:
                    migrate(connection)
                    self._migrated = True
        except BaseException:
            _leave(connection)
            raise
        return connection

    def _open(self) -> Connection:
        """A new connection. Whatever the server has against it, such as the password, is not the caller's fault."""
        url = self._url
        try:
            return Connection(
                unquote(url.username or "postgres"),
                host=url.hostname or "127.0.0.1",
                port=url.port or 5432,
                database=url.path.lstrip("/") or "postgres",
                password=unquote(url.password or ""),
                ssl_context=ssl_context(parse_qs(url.query)) or False,  # None would read all certificates, and ask
                timeout=30,
                application_name="countermark",
            )
        except DatabaseError as error:
            raise _away(error) from error

    def close(self) -> None:
        """Close the connections that nobody uses; the next question makes another."""
        while self._free:
            _leave(self._free.pop())


def _leave(connection: Connection | None) -> None:
    if connection is not None:
        try:
            connection.close()
        except _AWAY:
            log.info("a broken connection was dropped")


def migrate(connection: Connection) -> None:
    """Apply the numbered migrations that this database has not seen; safe from many processes at once."""
    connection.run(BEGIN)
    connection.run("SELECT pg_advisory_xact_lock(:lock)", lock=MIGRATION_LOCK)
    connection.run("CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL)")
    applied = {name for (name,) in connection.run("SELECT name FROM migrations")}
    files = (item for item in resources.files("countermark.migrations").iterdir() if item.name.endswith(".sql"))
    for file in sorted(files, key=lambda item: item.name):
        if file.name not in applied:
            connection.run(file.read_text(encoding="utf-8"))
            connection.run("INSERT INTO migrations VALUES (:name, now())", name=file.name)
            log.info("migration applied", migration=file.name)
    connection.run("COMMIT")


def ssl_context(query: dict[str, list[str]]) -> ssl.SSLContext | None:
    """What ``sslmode`` and ``sslrootcert`` of the URL ask for, as libpq reads them; without either, no encryption.

    https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
    """
    mode, root = query.get("sslmode", [""])[0], query.get("sslrootcert", [None])[0]
    if mode not in {"require", "verify-ca", "verify-full"}:
        return None
    context = ssl.create_default_context(cafile=root)
    context.check_hostname = mode == "verify-full"
    if mode == "require" and root is None:
        context.verify_mode = ssl.CERT_NONE
    return context


def _away(error: Exception) -> Unavailable:
    """What callers are told; why, only the log says."""
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    log.warning("the database is away", sqlstate=details.get("C"), why=details.get("M") or repr(error))
    return Unavailable("The database does not answer.")


def _sqlstate(error: DatabaseError) -> str:
    details = error.args[0] if error.args else {}
    return str(details.get("C", "")) if isinstance(details, dict) else ""
