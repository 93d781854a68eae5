"""Where sessions stand: as little of their rows as pollers need, of many at once."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.session import Standing
from shared.ids import SessionId
from shared.storage.rows import to_standing
from shared.storage.schema import agents, sessions
from shared.storage.types import any_of

_READ = (
    "id", "tenant", "user_id", "version", "message_count", "queue_depth", "scheduled_depth",
    "active_run_id", "active_run_status", "last_run_id", "last_run_status", "last_run_error",
    "last_activity_at", "expires_at", "ended_at",
)  # fmt: skip
_STANDINGS = (
    sa.select(*(sessions.c[name] for name in _READ), agents.c.pool)
    .join_from(sessions, agents, agents.c.id == sessions.c.agent_id)
    .where(any_of(sessions.c.id, "ids"), sessions.c.deleted_at.is_(None))
)


async def standings(reading: AsyncConnection, ids: Collection[UUID]) -> dict[SessionId, Standing]:
    """Read many sessions in one query, whosever they are; those that are gone are left out."""
    rows = await reading.execute(_STANDINGS, {"ids": ids})
    return {row.id: to_standing(row) for row in rows}
