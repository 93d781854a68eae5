"""The engines: SQLite with one writing connection, PostgreSQL with short, bounded transactions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.storage.aiosqlite_once import DRIVER
from shared.storage.types import dump_json

BEGIN = "BEGIN IMMEDIATE"  # on SQLite: a transaction that reads first must not fail to write
_READERS = 4
POOL_SIZE = 12

# A session that hangs must not hold a line's lock: the server ends it.
_POSTGRES_BOUNDS = {
    "application_name": "inturn",
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    "jit": "off",
    # Queues fill faster than statistics follow: a plan made for an empty table would go on
    # reading whole tables. Every statement here has its index, and goes row by row through it.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # It would gather and sort all that is due, to take the few that an index has in order.
    "enable_bitmapscan": "off",
}


@dataclass(frozen=True, slots=True)
class Engines:
    """`writing` opens transactions; `reading` answers single statements, each its own snapshot."""

    writing: AsyncEngine
    reading: AsyncEngine
    sqlite_path: Path | None

    async def dispose(self) -> None:
        """Close every connection."""
        await self.reading.dispose()
        await self.writing.dispose()


def open_engines(url: str) -> Engines:
    """Build engines for a SQLAlchemy URL; nothing connects yet.

    Raises ValueError for a URL of another database than SQLite or PostgreSQL.
    """
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed.set(drivername=DRIVER))
        case "postgresql":
            return _postgres(parsed.set(drivername="postgresql+asyncpg"))
        case other:
            message = f"the database must be sqlite or postgresql, not {other}"
            raise ValueError(message)


def open_connections(url: str) -> AsyncEngine:
    """Build an engine for connections that are held for long, each outside of transactions."""
    return _engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        poolclass=sa.NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "server_settings": {"application_name": "inturn"},
            "timeout": 5,
            "command_timeout": 10,
        },
    )


def _engine(url: URL, **options: Any) -> AsyncEngine:  # noqa: ANN401  (options of SQLAlchemy's)
    return create_async_engine(
        url,
        json_serializer=dump_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,  # an error is logged, and parameters are what people said
        **options,
    )


def _sqlite(url: URL) -> Engines:
    if not url.database or url.database == ":memory:":
        message = "SQLite needs a file; a database in memory would lose what it accepted"
        raise ValueError(message)
    # A connection comes back committed, rolled back or in autocommit: there is nothing to reset.
    plain = {"max_overflow": 0, "pool_reset_on_return": None}
    writing = _engine(url, pool_size=1, **plain)
    reading = _engine(url, pool_size=_READERS, isolation_level="AUTOCOMMIT", **plain)
    sa.event.listen(writing.sync_engine, "connect", _prepare_writer)
    sa.event.listen(writing.sync_engine, "begin", _begin_immediate)
    sa.event.listen(reading.sync_engine, "connect", _prepare_reader)
    return Engines(writing, reading, Path(url.database))


def _prepare_writer(connection: Any, _record: object) -> None:  # noqa: ANN401  (DBAPI connection)
    connection.isolation_level = None
    # One writer that also checkpoints: SQLite before 3.51.3 can corrupt a WAL with two.
    _pragmas(connection, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


def _prepare_reader(connection: Any, _record: object) -> None:  # noqa: ANN401  (DBAPI connection)
    _pragmas(connection, "query_only=ON")


def _pragmas(connection: Any, *pragmas: str) -> None:  # noqa: ANN401  (DBAPI connection)
    cursor = connection.cursor()
    for pragma in ("busy_timeout=10000", "mmap_size=0", "cache_size=-16000", *pragmas):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql(BEGIN)


def _postgres(url: URL) -> Engines:
    writing = _engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=10,
        isolation_level="READ COMMITTED",
        connect_args={"server_settings": _POSTGRES_BOUNDS, "timeout": 5, "command_timeout": 40},
    )
    return Engines(writing, writing.execution_options(isolation_level="AUTOCOMMIT"), None)
