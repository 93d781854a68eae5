"""A whole verb as one visit to the thread of a SQLite connection.

Verbs await nothing but their transaction. On SQLite that wait has no I/O worth a change of
thread, so the verb goes to the connection's thread once and performs there, over SQLAlchemy's
plain Connection; on PostgreSQL the same verb runs on the loop.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar, cast

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.storage.types import dump_json

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]


class _OnTheSpot:
    """What a verb uses of an AsyncConnection, done at once by the thread that asks."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> sa.Dialect:
        return self._connection.dialect

    async def execute(
        self,
        statement: sa.Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> sa.CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    async def exec_driver_sql(
        self, statement: str, parameters: tuple[object, ...]
    ) -> sa.CursorResult[Any]:
        return self._connection.exec_driver_sql(statement, parameters)


async def visit(engine: AsyncEngine, work: Work[T], *, begin: str | None) -> T:
    """Perform `work` on a connection of `engine`, in a transaction that `begin` opens if any."""
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        plain = raw.info.get("plain") or _plain(driver._conn, begin)  # noqa: SLF001
        raw.info["plain"] = plain
        return cast("T", await driver._execute(_perform, plain, work))  # noqa: SLF001


def _plain(connection: sqlite3.Connection, begin: str | None) -> sa.Engine:
    plain = sa.create_engine(
        "sqlite://",
        creator=lambda: connection,
        poolclass=sa.StaticPool,
        json_serializer=dump_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,
    )
    if begin:
        sa.event.listen(plain, "begin", lambda opened: opened.exec_driver_sql(begin))
    return plain


def _perform(plain: sa.Engine, work: Work[T]) -> T:
    with plain.begin() as connection:
        performed = cast(
            "Coroutine[Any, Any, T]", work(cast("AsyncConnection", _OnTheSpot(connection)))
        )
        try:
            performed.send(None)
        except StopIteration as done:
            return cast("T", done.value)
        performed.close()
        message = "a verb may await nothing but its transaction"
        raise RuntimeError(message)
