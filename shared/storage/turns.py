"""Turns: what belongs to runs that were read, in the same few queries however many they are."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.message import Message, Role
from shared.domain.principal import Principal
from shared.domain.run import Run
from shared.domain.turn import Turn
from shared.ids import SessionId
from shared.storage.messages import inputs
from shared.storage.rows import to_message
from shared.storage.schema import messages, run_details, runs, sessions
from shared.storage.types import any_of

_CONTEXTS = (
    sa.select(runs.c.id, sessions.c.tenant, sessions.c.user_id, run_details.c.retrieved_context)
    .join_from(runs, sessions, sessions.c.id == runs.c.session_id)
    .outerjoin(run_details, run_details.c.run_id == runs.c.id)
    .where(any_of(runs.c.id, "ids"), sessions.c.deleted_at.is_(None))
)
# By place and not by run: that is where the index of messages is.
_TOOLS = (
    sa.select(messages)
    .join_from(
        runs,
        messages,
        sa.and_(
            messages.c.session_id == runs.c.session_id,
            messages.c.turn_seq == runs.c.seq,
            messages.c.run_id == runs.c.id,
        ),
    )
    .where(any_of(runs.c.id, "ids"), messages.c.role == sa.literal_column(f"'{Role.TOOL}'"))
    .order_by(messages.c.session_id, messages.c.seq)
)
_SAID_BEFORE = (
    sa.select(messages)
    .where(messages.c.session_id == sa.bindparam("_session"), messages.c.run_id.is_(None))
    .where(messages.c.turn_seq <= sa.bindparam("_most", type_=sa.BigInteger))
    .order_by(messages.c.turn_seq, messages.c.seq)
)


async def complete(
    reading: AsyncConnection, principal: Principal, found: Sequence[Run]
) -> list[Turn]:
    """Make turns of these runs, in their order, but for those that this caller does not see."""
    if not found:
        return []
    ids: list[UUID] = [run.id for run in found]
    seen = {
        row.id: tuple(row.retrieved_context or ())
        for row in await reading.execute(_CONTEXTS, {"ids": ids})
        if principal.sees(row.tenant, row.user_id)
    }
    asked = await inputs(reading, ids)
    tools: defaultdict[UUID | None, list[Message]] = defaultdict(list)
    for row in await reading.execute(_TOOLS, {"ids": ids}):
        tools[row.run_id].append(to_message(row))
    return [
        Turn(run=run, inputs=asked[run.id], tools=tuple(tools[run.id]), context=seen[run.id])
        for run in found
        if run.id in seen
    ]


async def said_before(
    reading: AsyncConnection, session_id: SessionId, most: int
) -> tuple[Message, ...]:
    """Read the messages with which a session began, among its first `most`."""
    rows = await reading.execute(_SAID_BEFORE, {"_session": session_id, "_most": most})
    return tuple(map(to_message, rows))
