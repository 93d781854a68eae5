"""What users and agents said, read by instants or by number."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import MILLISECOND, Instant
from shared.domain.history import Slice, Window
from shared.domain.message import Role
from shared.ids import SessionId
from shared.storage.rows import to_message
from shared.storage.schema import messages, sessions
from shared.storage.types import AnyRow

# Instants of a session differ by a microsecond at least, so one has no more messages.
_MOST_AT_ONCE = MILLISECOND

_session = sa.bindparam("_session", type_=sa.Uuid)
_SPOKEN = (
    messages.c.session_id == _session,
    messages.c.seq.is_not(None),
    messages.c.role.in_([Role.USER, Role.ASSISTANT]),
)

# Instants grow with places, so that the place of one is found by halving, as in a dictionary:
# a step looks at one row of the index. Everything up to `place` is older than `instant`, and
# what else is older is less than two steps ahead.
_PLACE = sa.text(
    """
    WITH RECURSIVE search(place, step) AS (
      SELECT CAST(0 AS BIGINT), last_seq FROM sessions WHERE id = :session
      UNION ALL
      SELECT
        coalesce(
          (
            SELECT CASE WHEN created_at < :instant THEN seq END FROM messages
            WHERE session_id = :session AND seq >= place + step ORDER BY seq LIMIT 1
          ),
          place
        ),
        CASE WHEN step > 1 THEN (step + 1) / 2 ELSE 0 END
      FROM search WHERE step > 0
    )
    SELECT max(place) FROM search
    """
).bindparams(sa.bindparam("session", type_=sa.Uuid), sa.bindparam("instant", type_=sa.BigInteger))


async def window(
    reading: AsyncConnection,
    session_id: SessionId,
    *,
    before: Instant | None,
    after: Instant | None,
    limit: int,
) -> Window:
    """Read messages by whole milliseconds, newest first, both bounds exclusive.

    The newest, but of what is only newer than `after` the oldest, so that nothing is skipped.
    A millisecond is never divided: a page may be longer than `limit`.
    """
    query, forward = sa.select(messages).where(*_SPOKEN), before is None and after is not None
    if after is not None:
        place = await _place(reading, session_id, _millisecond(after) + MILLISECOND)
        query = query.where(messages.c.seq > place)
    if before is not None:
        place = await _place(reading, session_id, _millisecond(before))
        query = query.where(messages.c.seq <= place)
    query = query.order_by(messages.c.seq if forward else messages.c.seq.desc())
    rows = await _read(reading, query, session_id, limit + 1)
    kept = _whole(rows, limit)
    if len(kept) == len(rows) > limit:
        rows = await _read(reading, query, session_id, limit + 1 + _MOST_AT_ONCE)
        kept = _whole(rows, limit)
    found = map(to_message, reversed(kept) if forward else kept)
    return Window(messages=tuple(found), has_more=len(rows) > len(kept))


async def slice_(
    reading: AsyncConnection,
    session_id: SessionId,
    *,
    limit: int,
    offset: int,
    correlation_id: str | None,
) -> Slice:
    """Read messages in order, from `offset` on.

    What is skipped is read, and with a `correlation_id` what matches is counted; the total of
    all is a column.
    """
    query = sa.select(messages).where(*_SPOKEN).order_by(messages.c.seq)
    total = sa.select(sessions.c.spoken_count).where(sessions.c.id == _session)
    if correlation_id is not None:
        same = messages.c.correlation_id == correlation_id
        query = query.where(same)
        total = sa.select(sa.func.count()).select_from(messages).where(*_SPOKEN, same)
    rows = await _read(reading, query.offset(offset), session_id, limit)
    count = (await reading.execute(total, {"_session": session_id})).scalar()
    return Slice(messages=tuple(map(to_message, rows)), total=count or 0)


async def _place(reading: AsyncConnection, session_id: SessionId, instant: int) -> int:
    found = await reading.execute(_PLACE, {"session": session_id, "instant": instant})
    return found.scalar() or 0


async def _read(
    reading: AsyncConnection, query: sa.Select[Any], session_id: SessionId, limit: int
) -> Sequence[AnyRow]:
    found: Sequence[AnyRow] = (
        await reading.execute(query.limit(limit), {"_session": session_id})
    ).all()
    return found


def _whole(rows: Sequence[AnyRow], limit: int) -> Sequence[AnyRow]:
    """Cut after `limit` rows, or later where that would divide a millisecond."""
    end = min(limit, len(rows))
    last = rows[end - 1].created_at if end else 0
    while end < len(rows) and _millisecond(rows[end].created_at) == _millisecond(last):
        end += 1
    return rows[:end]


def _millisecond(instant: int) -> int:
    return instant - instant % MILLISECOND
