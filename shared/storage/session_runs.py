"""The runs of one session, in two parts: those in order, and those that are not due yet."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.paging import Cursor, Page
from shared.storage.keyset import paged
from shared.storage.schema import runs
from shared.storage.types import AnyRow


async def read(reading: AsyncConnection, query: sa.Select[Any], page: Page) -> Sequence[AnyRow]:
    """Read one row more than the page holds: by `seq`, then the scheduled by when they are due."""
    rows: list[AnyRow] = []
    for scheduled in _parts(page):
        if len(rows) <= page.limit:
            rest = replace(page, limit=page.limit - len(rows))
            rows += (await reading.execute(_part(query, rest, scheduled=scheduled))).all()
            page = replace(page, cursor=None)
    return rows


def key(row: AnyRow) -> Cursor:
    """Return a row's keys; a negative one is an instant, and the row not in order yet."""
    return (-row.available_at if row.seq is None else row.seq, row.id.hex)


def _parts(page: Page) -> list[bool]:
    parts = [True, False] if page.descending else [False, True]
    return parts if page.cursor is None else parts[parts.index(_is_scheduled(page.cursor)) :]


def _part(query: sa.Select[Any], page: Page, *, scheduled: bool) -> sa.Select[Any]:
    if not scheduled:
        return paged(query.where(runs.c.seq.is_not(None)), page, runs.c.seq, runs.c.id)
    if page.cursor is not None:
        page = replace(page, cursor=(abs(int(page.cursor[0])), page.cursor[1]))
    return paged(query.where(runs.c.seq.is_(None)), page, runs.c.available_at, runs.c.id)


def _is_scheduled(cursor: Cursor) -> bool:
    return int(cursor[0]) < 0
