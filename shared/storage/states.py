"""States of sessions: read by themselves, for they may be large."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.principal import Principal
from shared.domain.state import SessionState, to_state
from shared.ids import SessionId
from shared.storage.schema import sessions
from shared.storage.store import Transaction
from shared.storage.types import any_of

_STATES = sa.select(
    sessions.c.id,
    sessions.c.tenant,
    sessions.c.user_id,
    sessions.c.state,
    sessions.c.state_version,
).where(any_of(sessions.c.id, "ids"), sessions.c.deleted_at.is_(None))


async def fetch(
    reading: AsyncConnection, principal: Principal, session_id: SessionId
) -> SessionState | None:
    """Read the state of one session, if that exists for this caller."""
    row = (await reading.execute(_STATES, {"ids": [session_id]})).one_or_none()
    if row is None or not principal.sees(row.tenant, row.user_id):
        return None
    return to_state(row.state, row.state_version)


async def several(reading: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, SessionState]:
    """Read the states of sessions, whosever they are."""
    rows = await reading.execute(_STATES, {"ids": ids})
    return {row.id: to_state(row.state, row.state_version) for row in rows}


async def save(transaction: Transaction, session_id: SessionId, state: SessionState) -> None:
    """Write the state of a session that is locked; its line did not move."""
    changed = sessions.update().where(sessions.c.id == session_id)
    await transaction.execute(changed.values(state=state.as_json(), state_version=state.version))
