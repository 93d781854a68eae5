"""Messages: lists, and the context a run is given."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.execution import Claim
from shared.domain.message import Message
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal
from shared.domain.requests import MessageFilter
from shared.ids import RunId
from shared.storage.keyset import paged
from shared.storage.rows import to_message
from shared.storage.schema import messages, run_inputs, runs, sessions
from shared.storage.sessions import visible
from shared.storage.types import any_of

# How much of a session a run is shown: the newest messages of its context.
CONTEXT_MESSAGES = 200

_BY_ID = sa.select(messages).where(any_of(messages.c.id, "ids"))
_INPUTS = (
    sa.select(messages, run_inputs.c.run_id.label("input_of"))
    .join_from(run_inputs, messages, messages.c.id == run_inputs.c.message_id)
    .where(any_of(run_inputs.c.run_id, "ids"))
    .order_by(run_inputs.c.run_id, messages.c.seq)
)
_CONTEXT = (
    sa.select(messages)
    .outerjoin_from(messages, runs, runs.c.id == messages.c.run_id)
    .where(
        messages.c.session_id == sa.bindparam("_session"),
        messages.c.turn_seq < sa.bindparam("_seq"),
        sa.or_(
            messages.c.run_id.is_(None),
            sa.and_(runs.c.in_context, runs.c.settled_at.is_not(None)),
        ),
    )
    .order_by(messages.c.turn_seq.desc(), messages.c.seq.desc())
    .limit(CONTEXT_MESSAGES)
)


async def by_ids(reading: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, Message]:
    """Read messages by id."""
    rows = await reading.execute(_BY_ID, {"ids": ids})
    return {row.id: to_message(row) for row in rows}


async def inputs(
    reading: AsyncConnection, run_ids: Collection[UUID]
) -> dict[RunId, tuple[Message, ...]]:
    """Read the messages that each run answers, in their order."""
    found: dict[RunId, list[Message]] = {RunId(run_id): [] for run_id in run_ids}
    for row in await reading.execute(_INPUTS, {"ids": run_ids}):
        found[row.input_of].append(to_message(row))
    return {run_id: tuple(each) for run_id, each in found.items()}


async def context(reading: AsyncConnection, claim: Claim) -> tuple[Message, ...]:
    """Read the terminal turns before a run, oldest first, in the order of their runs."""
    rows = await reading.execute(_CONTEXT, {"_session": claim.session_id, "_seq": claim.seq})
    return tuple(map(to_message, reversed(rows.all())))


async def page(
    reading: AsyncConnection, principal: Principal, filters: MessageFilter, slice_: Page
) -> Listing[Message]:
    """List messages: of one session by `seq`, of all that the caller sees by creation.

    Those of a run that is not due have no place yet, and are in no list.
    """
    query = (
        sa.select(messages)
        .join_from(messages, sessions, sessions.c.id == messages.c.session_id)
        .where(
            sessions.c.deleted_at.is_(None),
            messages.c.seq.is_not(None),
            *visible(principal),
            *_conditions(filters),
        )
    )
    if filters.session_id is None:
        query = paged(query, slice_, messages.c.created_at, messages.c.id)
        rows = (await reading.execute(query)).all()
        return slice_.cut(list(map(to_message, rows)), lambda m: (m.created_at, m.id.hex))
    query = query.where(messages.c.session_id == filters.session_id)
    rows = (await reading.execute(paged(query, slice_, messages.c.seq))).all()
    return slice_.cut(rows, lambda row: (row.seq,)).map(to_message)


def _conditions(filters: MessageFilter) -> list[Any]:
    conditions: list[Any] = []
    if filters.roles is not None:
        conditions.append(messages.c.role.in_(sorted(filters.roles)))
    if filters.correlation_id is not None:
        conditions.append(messages.c.correlation_id == filters.correlation_id)
    return conditions
