"""A connection to PostgreSQL that asks each statement in one round trip."""

import select
from functools import lru_cache
from typing import Any

from pg8000 import native
from pg8000.converters import make_params
from pg8000.core import BIND, DESCRIBE, EXECUTE_MSG, NULL_BYTE, PARSE, SYNC_MSG, Context, i_pack
from pg8000.core import H_pack as short
from pg8000.exceptions import InterfaceError

_to_statement = lru_cache(maxsize=256)(native.to_statement)
"""A statement as the server takes it, and what puts parameters in its order. pg8000 looks at it sign by sign."""
_AS_TEXT = short(0)
"""All values, or all columns, are sent as text."""


class Connection(native.Connection):  # type: ignore[misc]
    """pg8000's, which sends a statement with parameters in three steps and waits for each.

    Here everything that belongs to a statement goes out at once and ends with one Sync: outside of a transaction it is
    one of its own. It has no name: the session that a pooler gives the next transaction knows no prepared statement.
    """

    def run(self, sql: str, **parameters: Any) -> list[Any]:
        """The rows of a statement, each a list of columns. Without parameters there may be several statements.

        Raises:
            DatabaseError: the server refuses it.
            InterfaceError: the connection is broken.
        """
        if not parameters:
            self._context = self.execute_simple(sql)
            return self._rows
        statement, in_order = _to_statement(sql)
        self._context = context = Context(statement)
        values = make_params(self.py_types, in_order(parameters))
        encoding = self._client_encoding
        message = _message(PARSE, NULL_BYTE + statement.encode(encoding) + NULL_BYTE + short(0))
        message += _message(BIND, NULL_BYTE * 2 + _AS_TEXT + _bound(values, encoding) + _AS_TEXT)
        message += _message(DESCRIBE, b"P" + NULL_BYTE) + EXECUTE_MSG + SYNC_MSG
        if self._usock is None:
            raise InterfaceError("connection is closed")
        self._usock.sendall(message)
        self.handle_messages(context)
        return self._rows

    @property
    def _rows(self) -> list[Any]:
        return self._context.rows or []

    @property
    def is_left(self) -> bool:
        """Whether the server has ended the connection while nobody asked anything; then it has said something."""
        if self._usock is None:
            return True
        looking = select.poll()  # select knows no file beyond the 1,024th
        looking.register(self._usock, select.POLLIN)
        return bool(looking.poll(0))


def _message(code: bytes, data: bytes) -> bytes:
    return b"".join((code, i_pack(len(data) + 4), data))


def _bound(values: tuple[str | None, ...], encoding: str) -> bytes:
    parts = [short(len(values))]
    for value in values:
        data = None if value is None else value.encode(encoding)
        parts += (i_pack(-1),) if data is None else (i_pack(len(data)), data)
    return b"".join(parts)
