"""Keyset paging in SQL."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.domain.paging import Page


def paged(
    query: sa.Select[Any], page: Page, order: sa.Column[Any], tie: sa.Column[Any] | None = None
) -> sa.Select[Any]:
    """Restrict to the rows beyond the cursor, one more than asked for, in order.

    The cursor's keys are `order` (an integer) and, with `tie`, an id as 32 hex digits.
    """
    columns = (order,) if tie is None else (order, tie)
    if page.cursor is not None:
        keys = [UUID(key) if isinstance(key, str) else key for key in page.cursor]
        here, there = sa.tuple_(*columns), sa.tuple_(*map(sa.literal, keys, _types(columns)))
        query = query.where(here < there if page.descending else here > there)
    ordered = (column.desc() if page.descending else column.asc() for column in columns)
    return query.order_by(*ordered).limit(page.limit + 1)


def _types(columns: tuple[sa.Column[Any], ...]) -> list[sa.types.TypeEngine[Any]]:
    return [column.type for column in columns]
