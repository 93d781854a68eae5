"""Many runs at once, for operators: which they are, and what is done to some of them."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.errors import NotFound, NotRetryable, SessionEnded, SessionQueueFull
from shared.domain.operations import Selection
from shared.domain.principal import Principal
from shared.domain.run import RunStatus
from shared.ids import AgentId, RunId, SessionId, new_id
from shared.storage import changes
from shared.storage.cancelling import end_cancelled
from shared.storage.lines import finish, lock_lines
from shared.storage.schema import runs, sessions
from shared.storage.store import Store, Transaction
from shared.storage.types import AnyRow, any_of

_again = runs.alias("again")
_UNFINISHED = runs.c.settled_at.is_(None)
# In the words of its index, by which SQLite knows it.
_UNSUCCESSFUL = sa.text("runs.status IN ('cancelled', 'failed')")
_RETRIED = sa.select(runs.c.retry_of).where(any_of(runs.c.retry_of, "ids"))
_CHOSEN = sa.select(runs).where(any_of(runs.c.id, "ids")).order_by(runs.c.id).with_for_update()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A run that was selected; what it is by now, only its lock can tell."""

    run_id: RunId
    session_id: SessionId
    pool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """How many; whom to tell: sessions that moved, pools with ready runs, runs of a worker."""

    count: int
    sessions: tuple[SessionId, ...]
    pools: frozenset[str]
    told: tuple[RunId, ...] = ()


async def cancellable(
    reading: AsyncConnection, selection: Selection, agent_id: AgentId | None
) -> list[Chosen]:
    """Select unfinished runs that nobody has asked to stop yet, session by session.

    Here and below one more is selected than asked for, to tell whether there are others.
    """
    query = (
        sa.select(runs.c.id, runs.c.session_id, runs.c.pool)
        .where(
            _UNFINISHED,
            runs.c.cancel_requested_at.is_(None),
            *_conditions(selection, agent_id),
        )
        .order_by(runs.c.session_id, runs.c.seq)
        .limit(selection.limit + 1)
    )
    return [Chosen(*row) for row in await reading.execute(query)]


async def retryable(
    reading: AsyncConnection,
    selection: Selection,
    agent_id: AgentId | None,
    max_queued: int,
) -> list[Chosen]:
    """Select runs that did not succeed and were not retried, the oldest first.

    Sessions that have ended or whose queue is full are left out.
    """
    retried = sa.exists().where(_again.c.retry_of == runs.c.id)
    query = (
        sa.select(runs.c.id, runs.c.session_id, runs.c.pool)
        .join_from(runs, sessions, sessions.c.id == runs.c.session_id)
        .where(
            _UNSUCCESSFUL,
            *_conditions(selection, agent_id),
            ~retried,
            sessions.c.ended_at.is_(None),
            sessions.c.deleted_at.is_(None),
            sessions.c.queue_depth < max_queued,
        )
        .order_by(runs.c.stored_at, runs.c.id)
        .limit(selection.limit + 1)
    )
    return [Chosen(*row) for row in await reading.execute(query)]


async def cancel(
    store: Store,
    transaction: Transaction,
    chosen: Sequence[Chosen],
    *,
    reason: str | None,
    by: str | None,
) -> Changed:
    """Cancel those that are still unfinished, as one by one."""
    lines = await lock_lines(transaction, [each.session_id for each in chosen])
    rows = await transaction.execute(_CHOSEN, {"ids": [each.run_id for each in chosen]})
    unfinished: dict[UUID, list[AnyRow]] = defaultdict(list)
    for row in rows:
        if row.settled_at is None and row.cancel_requested_at is None and row.session_id in lines:
            unfinished[row.session_id].append(row)
    now = await store.now(transaction)
    for session_id, some in unfinished.items():
        await end_cancelled(transaction, lines[session_id], some, now, reason=reason, by=by)
    pools = await finish(transaction, lines.values(), now)
    every = [row for some in unfinished.values() for row in some]
    return Changed(
        count=len(every),
        sessions=tuple(SessionId(session_id) for session_id in unfinished),
        pools=frozenset(pools),
        told=tuple(RunId(row.id) for row in every if row.status == RunStatus.RUNNING),
    )


async def retry(
    store: Store,
    transaction: Transaction,
    principal: Principal,
    chosen: Sequence[Chosen],
    max_queued: int,
) -> Changed:
    """Retry those that still can be, each in the name of whom it was queued for.

    What somebody else has retried since they were chosen is left out.
    """
    await lock_lines(transaction, [each.session_id for each in chosen])
    found = await transaction.execute(_RETRIED, {"ids": [each.run_id for each in chosen]})
    known = set(found.scalars())
    retried: list[Chosen] = []
    for each in (each for each in chosen if each.run_id not in known):
        with suppress(NotFound, NotRetryable, SessionEnded, SessionQueueFull):
            await changes.retry(
                store,
                transaction,
                principal,
                each.run_id,
                RunId(new_id()),
                correlation_id=None,
                max_queued=max_queued,
            )
            retried.append(each)
    return Changed(
        count=len(retried),
        sessions=tuple({each.session_id: None for each in retried}),
        pools=frozenset(each.pool for each in retried),
    )


def _conditions(selection: Selection, agent_id: AgentId | None) -> list[sa.ColumnElement[bool]]:
    wanted: dict[sa.Column[Any], object] = {
        runs.c.session_id: selection.session_id,
        runs.c.pool: selection.pool,
        runs.c.agent_id: agent_id,
        runs.c.correlation_id: selection.correlation_id,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    if selection.status is not None:
        # Spelt out, for an index of one status serves only who names it.
        conditions.append(runs.c.status == sa.literal_column(f"'{selection.status}'"))
    if selection.created_after is not None:
        conditions.append(runs.c.stored_at > selection.created_after)
    if selection.created_before is not None:
        conditions.append(runs.c.stored_at < selection.created_before)
    return conditions
