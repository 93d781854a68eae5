"""What a claimed run is about."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.agent import READS_HISTORY, AgentKind
from shared.domain.errors import InturnError, NotFound
from shared.domain.execution import Assignment, Claim
from shared.domain.message import Message
from shared.storage import agents, messages
from shared.storage.rows import to_approvals
from shared.storage.schema import run_details, runs, sessions
from shared.storage.types import any_of

_FIRST_RUN_SEQ = 2  # after the first message: nothing was said before

_ABOUT = (
    sa.select(
        runs.c.id,
        sessions.c.user_id,
        run_details.c.inputs,
        run_details.c.options,
        run_details.c.approvals,
    )
    .join_from(runs, sessions, sessions.c.id == runs.c.session_id)
    .outerjoin(run_details, run_details.c.run_id == runs.c.id)
    .where(any_of(runs.c.id, "ids"))
)


async def brief(
    reading: AsyncConnection, claims: Sequence[Claim]
) -> list[Assignment | InturnError]:
    """Read what each run answers and what was said before, for agents that read it."""
    ids: list[UUID] = [claim.run_id for claim in claims]
    known = await agents.by_ids(reading, {claim.agent_id for claim in claims})
    about = {row.id: row for row in await reading.execute(_ABOUT, {"ids": ids})}
    inputs = await messages.inputs(reading, ids)
    results: list[Assignment | InturnError] = []
    for claim in claims:
        row, agent = about.get(claim.run_id), known.get(claim.agent_id)
        if row is None or agent is None:
            results.append(NotFound("run"))
            continue
        results.append(
            Assignment(
                agent=agent,
                context=await _context(reading, claim, agent.kind),
                messages=inputs[claim.run_id],
                inputs=row.inputs or {},
                metadata=inputs[claim.run_id][-1].metadata if inputs[claim.run_id] else {},
                user_id=row.user_id,
                options=row.options or {},
                approvals=to_approvals(row.approvals),
            )
        )
    return results


async def _context(reading: AsyncConnection, claim: Claim, kind: AgentKind) -> tuple[Message, ...]:
    if kind not in READS_HISTORY or claim.seq <= _FIRST_RUN_SEQ:
        return ()
    return await messages.context(reading, claim)
