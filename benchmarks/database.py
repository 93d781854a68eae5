"""Scratch databases, and questions to them from outside the servers."""

import asyncio
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import asyncpg


class Database(Protocol):
    """Answers one statement, as someone who only reads."""

    @property
    def url(self) -> str:
        """What INTURN_DATABASE_URL is set to."""

    def numbers(self, statement: str) -> list[int]:
        """Return the columns of the one row."""


class Sqlite:
    """The file of an embedded server; each question opens it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = f"sqlite+aiosqlite:///{path}"

    def numbers(self, statement: str) -> list[int]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10)) as file:
            return list(file.execute(statement).fetchone())


class Postgres:
    """A database of our own on a server that others may use, too."""

    def __init__(self, url: str, runner: asyncio.Runner) -> None:
        self.url = url
        self._runner = runner
        self._connection = runner.run(_connect(url))

    def numbers(self, statement: str) -> list[int]:
        return list(self._runner.run(self._connection.fetchrow(statement)))

    def close(self) -> None:
        """Hang up."""
        self._runner.run(self._connection.close())


@contextmanager
def scratch_postgres(server: str) -> Iterator[Postgres]:
    """Create a database, and drop it at the end."""
    name = f"inturn_bench_{uuid.uuid4().hex[:12]}"
    with asyncio.Runner() as runner:
        runner.run(_execute(server, f"CREATE DATABASE {name}"))
        try:
            with closing(
                Postgres(urlsplit(server)._replace(path=f"/{name}").geturl(), runner)
            ) as it:
                yield it
        finally:
            runner.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


def describe_postgres(server: str) -> str:
    """Say version and durability of a server."""
    with asyncio.Runner() as runner:
        version, fsync, commit = runner.run(_describe(server))
    return f"PostgreSQL {version} (fsync {fsync}, synchronous_commit {commit})"


async def _describe(server: str) -> list[str]:
    connection = await _connect(server)
    names = ("server_version", "fsync", "synchronous_commit")
    try:
        said = [str(await connection.fetchval(f"SHOW {name}")) for name in names]
    finally:
        await connection.close()
    return [each.split()[0] for each in said]


async def _execute(server: str, statement: str) -> None:
    connection = await _connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)
