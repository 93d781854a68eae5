"""Sessions: rows and lists."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import SessionFilter
from shared.domain.run import RunStatus
from shared.domain.session import Session, SessionStatus
from shared.ids import AgentId, SessionId
from shared.storage.keyset import paged
from shared.storage.rows import to_session
from shared.storage.schema import agents, runs, sessions
from shared.storage.types import any_of

# Neither state nor configuration: they may be large.
_SHOWN = [each for each in sessions.c if each.name not in {"state", "config"}]
SELECT = (
    sa.select(*_SHOWN, agents.c.name.label("agent"), agents.c.pool)
    .join_from(sessions, agents, agents.c.id == sessions.c.agent_id)
    .where(sessions.c.deleted_at.is_(None))
)
_ONE = SELECT.where(sessions.c.id == sa.bindparam("_id"))
_SEVERAL = SELECT.where(any_of(sessions.c.id, "ids"))
_POSITIONS = (
    sa.select(sessions.c.id, sessions.c.version, runs.c.event_count)
    .outerjoin_from(sessions, runs, runs.c.id == sessions.c.active_run_id)
    .where(any_of(sessions.c.id, "ids"))
)


def visible(principal: Principal) -> list[sa.ColumnElement[bool]]:
    """Return the conditions under which a session exists for this caller."""
    if principal.scope is Scope.ADMIN:
        return []
    conditions = [sessions.c.tenant == principal.tenant]
    if principal.scope is Scope.USER:
        conditions.append(sessions.c.user_id == principal.user_id)
    return conditions


async def fetch(
    reading: AsyncConnection, principal: Principal, session_id: SessionId
) -> Session | None:
    """Read one session, if it exists for this caller."""
    row = (await reading.execute(_ONE, {"_id": session_id})).one_or_none()
    if row is None or not principal.sees(row.tenant, row.user_id):
        return None
    return to_session(row)


async def several(reading: AsyncConnection, ids: Collection[UUID]) -> dict[SessionId, Session]:
    """Read sessions by id, whosever they are."""
    rows = await reading.execute(_SEVERAL, {"ids": ids})
    return {row.id: to_session(row) for row in rows}


async def positions(
    reading: AsyncConnection, ids: Collection[UUID]
) -> dict[SessionId, tuple[int, int]]:
    """Read many sessions' versions, each with the number of its live run's events, at once."""
    rows = await reading.execute(_POSITIONS, {"ids": ids})
    return {SessionId(row.id): (row.version, row.event_count or 0) for row in rows}


async def page(
    reading: AsyncConnection,
    principal: Principal,
    filters: SessionFilter,
    slice_: Page,
    agent_id: AgentId | None,
) -> Listing[Session]:
    """List the sessions that exist for this caller, by creation."""
    query = SELECT.where(*visible(principal), *_conditions(filters, agent_id))
    query = paged(query, slice_, sessions.c.created_at, sessions.c.id)
    rows = (await reading.execute(query)).all()
    return slice_.cut([to_session(row) for row in rows], lambda s: (s.created_at, s.id.hex))


def _conditions(filters: SessionFilter, agent_id: AgentId | None) -> list[Any]:
    wanted = {
        sessions.c.agent_id: agent_id,
        sessions.c.user_id: filters.user_id,
        sessions.c.correlation_id: filters.correlation_id,
    }
    conditions: list[Any] = [
        column == value for column, value in wanted.items() if value is not None
    ]
    if filters.created_after is not None:
        conditions.append(sessions.c.created_at > filters.created_after)
    if filters.created_before is not None:
        conditions.append(sessions.c.created_at < filters.created_before)
    if filters.status:
        conditions.append(_has_status(filters.status))
    return conditions


def _has_status(status: SessionStatus) -> sa.ColumnElement[bool]:
    """Spell `Session.status` in SQL."""
    failed = sessions.c.last_run_status == RunStatus.FAILED
    derived = sa.case(
        (sessions.c.ended_at.is_not(None), SessionStatus.ENDED),
        (sessions.c.active_run_id.is_not(None), sessions.c.active_run_status),
        (sessions.c.queue_depth > sessions.c.scheduled_depth, SessionStatus.QUEUED),
        (failed, SessionStatus.ERROR),
        else_=SessionStatus.IDLE,
    )
    return derived == status
