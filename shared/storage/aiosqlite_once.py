"""SQLAlchemy's aiosqlite dialect with one visit to the connection's thread per statement.

The stock cursor goes there four times: to be made, to execute, to fetch and to be closed.
Each visit hands the interpreter lock over twice; together they were a tenth of a run's cost.
"""

# ruff: noqa: ANN401, SLF001  (a driver's types are Any, and its inside is what is replaced)

import sqlite3
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
    SQLiteDialect_aiosqlite,
)
from sqlalchemy.util.concurrency import await_

DRIVER = "sqlite+aiosqlite_once"


@dataclass(slots=True)
class _Answer:
    rows: list[Any]
    description: Any
    rowcount: int
    lastrowid: int | None


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ("_answer",)

    def __init__(self, adapt_connection: AsyncAdapt_aiosqlite_connection) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._rows: deque[Any] = deque()
        self._answer = _Answer([], None, -1, None)

    @property
    def description(self) -> Any:
        return self._answer.description

    @property
    def rowcount(self) -> int:
        return self._answer.rowcount

    @property
    def lastrowid(self) -> Any:
        return self._answer.lastrowid

    async def _async_soft_close(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        self._rows.clear()

    def execute(self, operation: Any, parameters: Any = None) -> Any:
        self._visit(sqlite3.Cursor.execute, operation, parameters or ())

    def executemany(self, operation: Any, seq_of_parameters: Sequence[Any]) -> Any:
        self._visit(sqlite3.Cursor.executemany, operation, seq_of_parameters)

    def _visit(self, method: Any, operation: str, parameters: Any) -> None:
        def visit() -> _Answer:
            cursor = self._connection._conn.cursor()
            try:
                method(cursor, operation, parameters)
                rows = cursor.fetchall() if cursor.description else []
                return _Answer(rows, cursor.description, cursor.rowcount, cursor.lastrowid)
            finally:
                cursor.close()

        try:
            self._answer = await_(self._connection._execute(visit))
        except Exception as error:  # noqa: BLE001  (translated and raised there)
            self._adapt_connection._handle_exception(error)
        self._rows = deque(self._answer.rows)


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()
    _cursor_cls = _Cursor  # type: ignore[assignment]


class _DBAPI(AsyncAdapt_aiosqlite_dbapi):
    def connect(self, *arg: Any, **kw: Any) -> AsyncAdapt_aiosqlite_connection:
        return _Connection(self, super().connect(*arg, **kw)._connection)


class Dialect(SQLiteDialect_aiosqlite):
    """Registered as `sqlite+aiosqlite_once`."""

    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> AsyncAdapt_aiosqlite_dbapi:
        """Wrap the same two modules."""
        return _DBAPI(__import__("aiosqlite"), sqlite3)


registry.register("sqlite.aiosqlite_once", __name__, "Dialect")
