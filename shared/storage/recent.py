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
from shared.ids import parse
from shared.storage.rows import to_session
from shared.storage.schema import messages, runs, sessions
from shared.storage.sessions import SELECT, visible
from shared.storage.texts import plain_text
from shared.storage.types import any_of

_SHOWN_OF_A_MESSAGE = 100

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
    conditions = [*visible(principal), *_conditions(filters)]
    found = sa.select(sa.func.count()).select_from(sessions)
    found = found.where(sessions.c.deleted_at.is_(None), *conditions)
    query = SELECT.where(*conditions).order_by(
        sessions.c.last_activity_at.desc(), sessions.c.id.desc()
    )
    total = (await reading.execute(found)).scalar_one()
    rows = (await reading.execute(query.limit(limit).offset(offset))).all()
    seen = await reading.execute(_GLANCES, {"ids": [row.id for row in rows]})
    glances = {glance.id: glance for glance in seen}
    items = tuple(
        RecentSession(
            session=to_session(row),
            run_count=glances[row.id].run_count,
            first_message=glances[row.id].first_message,
        )
        for row in rows
    )
    return Recent(items=items, total=total)


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
