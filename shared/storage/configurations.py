"""What sessions were made with: read by itself, for it may be large."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.jsontypes import JsonObject
from shared.domain.principal import Principal
from shared.domain.state import SessionState, to_state
from shared.ids import SessionId
from shared.storage.schema import sessions
from shared.storage.types import any_of

_CONFIGS = sa.select(sessions.c.id, sessions.c.config).where(
    any_of(sessions.c.id, "ids"), sessions.c.config.is_not(None)
)

_ONE = sa.select(
    sessions.c.tenant,
    sessions.c.user_id,
    sessions.c.config,
    sessions.c.state,
    sessions.c.state_version,
).where(sessions.c.id == sa.bindparam("_id"), sessions.c.deleted_at.is_(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a session was made with, if anything, and what it remembers."""

    config: JsonObject | None
    state: SessionState


async def several(reading: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, JsonObject]:
    """Read the configurations of sessions that have one, whosever they are."""
    rows = await reading.execute(_CONFIGS, {"ids": ids})
    return {row.id: row.config for row in rows}


async def fetch(
    reading: AsyncConnection, principal: Principal, session_id: SessionId
) -> Kept | None:
    """Read configuration and state of one session, if it exists for this caller."""
    row = (await reading.execute(_ONE, {"_id": session_id})).one_or_none()
    if row is None or not principal.sees(row.tenant, row.user_id):
        return None
    return Kept(config=row.config, state=to_state(row.state, row.state_version))
