"""Sessions by their newest activity.

No index is by activity, which every message moves: a list reads the sessions of its agent or
owner, and only those of its page are asked for their runs and first message.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.history import Recent, RecentFilter, RecentSession
from shared.domain.message import Role
from shared.domain.principal import Principal
from shared.ids import SessionId, parse
from shared.storage.schema import messages, runs, sessions
from shared.storage.sessions import several, visible
from shared.storage.texts import plain_text
from shared.storage.types import any_of

_SHOWN_OF_A_MESSAGE = 100

_NEWEST_FIRST = (sessions.c.last_activity_at.desc(), sessions.c.id.desc())
_runs_of_it = sa.select(runs.c.id).where(runs.c.session_id == sessions.c.id)
_first_message = (
    sa.select(plain_text(messages.c.content))
    .where(
        messages.c.session_id == sessions.c.id,
        messages.c.seq.is_not(None),
        messages.c.role == Role.USER,
    )
    .order_by(messages.c.seq)
    .limit(1)
    .scalar_subquery()
)
_GLANCES = sa.select(
    sessions.c.id,
    sa.select(sa.func.count())
    .select_from(runs)
    .where(runs.c.session_id == sessions.c.id)
    .scalar_subquery()
    .label("run_count"),
    sa.func.substr(_first_message, 1, _SHOWN_OF_A_MESSAGE).label("first_message"),
).where(any_of(sessions.c.id, "ids"))


async def page(
    reading: AsyncConnection,
    principal: Principal,
    filters: RecentFilter,
    *,
    limit: int,
    offset: int,
) -> Recent:
    """List sessions that exist for this caller, and count them."""
    conditions = (sessions.c.deleted_at.is_(None), *visible(principal), *_conditions(filters))
    count = sa.select(sa.func.count()).select_from(sessions).where(*conditions)
    total = (await reading.execute(count)).scalar_one()
    # Ids alone are put in order: rows are wide.
    query = sa.select(sessions.c.id).where(*conditions).order_by(*_NEWEST_FIRST)
    rows = await reading.execute(query.limit(limit).offset(offset))
    ids = [SessionId(each) for each in rows.scalars()]
    return Recent(items=await _items(reading, ids), total=total)


async def _items(reading: AsyncConnection, ids: Sequence[SessionId]) -> tuple[RecentSession, ...]:
    """Read these sessions, in this order; one that was deleted meanwhile is left out."""
    if not ids:
        return ()
    found = await several(reading, ids)
    glances = {glance.id: glance for glance in await reading.execute(_GLANCES, {"ids": ids})}
    return tuple(
        RecentSession(
            session=found[each],
            run_count=glances[each].run_count,
            first_message=glances[each].first_message,
        )
        for each in ids
        if each in found and each in glances
    )


def _conditions(filters: RecentFilter) -> Sequence[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.agent_id is not None:
        conditions.append(sessions.c.agent_id == filters.agent_id)
    if filters.created_after is not None:
        conditions.append(sessions.c.created_at >= filters.created_after)
    if filters.created_before is not None:
        conditions.append(sessions.c.created_at <= filters.created_before)
    if filters.min_runs is not None and filters.min_runs > 0:
        conditions.append(_has_runs(filters.min_runs))
    if filters.max_runs is not None:
        conditions.append(~_has_runs(filters.max_runs + 1))
    if filters.search is not None:
        conditions.append(_mentions(filters.search))
    return conditions


def _has_runs(count: int) -> sa.ColumnElement[bool]:
    """Look for the run of that number, and no further."""
    nth: sa.Select[Any] = _runs_of_it.offset(max(count, 1) - 1).limit(1)
    return sa.exists(nth)


def _mentions(search: str) -> sa.ColumnElement[bool]:
    said = _first_message.icontains(search, autoescape=True)
    try:
        return sa.or_(said, sessions.c.id == parse("sess", search.strip()))
    except ValueError:
        return said
