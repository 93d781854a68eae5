"""A long conversation, written straight into a database before anything serves it."""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any
from uuid import UUID

import asyncpg

from shared.clock import MILLISECOND
from shared.domain.agent import agent_id_of
from shared.ids import spell

TURNS = 50_000
_SESSION, _AGENT = agent_id_of("a long conversation"), agent_id_of("echo")
LONG = spell("sess", _SESSION)
_SAID = '"Where is my order 4711, and when will it arrive?"'
_BEGAN = 1_750_000_000_000_000

Row = Mapping[str, Any]


def fill(url: str) -> None:
    """Write the session and all that was said in it."""
    if url.startswith("sqlite"):
        _fill_sqlite(url.removeprefix("sqlite+aiosqlite:///"))
    else:
        asyncio.run(_fill_postgres(url.replace("+asyncpg", "")))


def _tables() -> dict[str, Iterable[Row]]:
    turns = range(TURNS)
    return {
        "agents": [_agent()],
        "sessions": [_session()],
        "runs": map(_run, turns),
        "messages": (message for turn in turns for message in _messages(turn)),
        "run_inputs": ({"run_id": _id(1, turn), "message_id": _id(2, turn)} for turn in turns),
    }


def _id(kind: int, turn: int) -> UUID:
    return UUID(int=(kind << 96) + turn)


def _instant(place: int) -> int:
    return _BEGAN + place * MILLISECOND


def _agent() -> Row:
    return {
        "id": _AGENT,
        "name": "echo",
        "kind": "echo",
        "pool": "default",
        "settings": "{}",
        "max_attempts": 3,
        "base_seconds": 1.0,
        "max_seconds": 60.0,
        "created_at": _BEGAN,
        "updated_at": _BEGAN,
    }


def _session() -> Row:
    ended = _instant(2 * TURNS)
    return {
        "id": _SESSION,
        "tenant": "default",
        "agent_id": _AGENT,
        "origin": "native",
        "metadata": "{}",
        "version": 3 * TURNS,
        "last_seq": 3 * TURNS,
        "message_count": 2 * TURNS,
        "spoken_count": 2 * TURNS,
        "last_run_id": _id(1, TURNS - 1),
        "last_run_status": "succeeded",
        "last_message_at": ended,
        "created_at": _BEGAN,
        "updated_at": ended,
        "last_activity_at": ended,
    }


def _run(turn: int) -> Row:
    receipts = ("stored_at", "announced_at", "claimed_at", "first_token_at", "settled_at")
    return {
        "id": _id(1, turn),
        "session_id": _SESSION,
        "seq": 3 * turn + 2,
        "status": "succeeded",
        "principal_id": _SESSION,
        "agent_id": _AGENT,
        "pool": "default",
        "origin": "native",
        "correlation_id": "c",
        "attempt": 1,
        "fence": 1,
        "max_attempts": 3,
        "output_message_id": _id(3, turn),
        **dict.fromkeys(receipts, _instant(2 * turn)),
    }


def _messages(turn: int) -> Iterator[Row]:
    for kind, role in ((2, "user"), (3, "assistant")):
        yield {
            "id": _id(kind, turn),
            "session_id": _SESSION,
            "seq": 3 * turn + (1 if kind == 2 else 3),  # noqa: PLR2004 - the run's is in between
            "turn_seq": 3 * turn + 2,
            "run_id": _id(1, turn),
            "role": role,
            "content": _SAID,
            "correlation_id": "c",
            "created_at": _instant(2 * turn + kind),
        }


def _fill_sqlite(path: str) -> None:
    sqlite3.register_adapter(UUID, lambda value: value.hex)
    with closing(sqlite3.connect(path)) as file, file:
        for table, rows in _tables().items():
            listed = list(rows)
            names = ", ".join(listed[0])
            values = ", ".join(f":{name}" for name in listed[0])
            file.executemany(f"INSERT INTO {table} ({names}) VALUES ({values})", listed)  # noqa: S608 - our own names


async def _fill_postgres(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for table, rows in _tables().items():
            listed = list(rows)
            records = [tuple(row.values()) for row in listed]
            names = list(listed[0])
            await connection.copy_records_to_table(table, records=records, columns=names)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
