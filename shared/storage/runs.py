"""Runs as readers see them."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.jsontypes import JsonObject
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal
from shared.domain.requests import RunFilter
from shared.domain.run import Attempt, Dispatch, Run, RunStatus
from shared.ids import AgentId, RunId, SessionId
from shared.storage import messages, session_runs
from shared.storage.keyset import paged
from shared.storage.queueing import ahead_of, forces, pool_of
from shared.storage.rows import to_attempt, to_run
from shared.storage.schema import agents, attempts, pools, run_details, runs, sessions, workers
from shared.storage.sessions import visible
from shared.storage.store import Store
from shared.storage.types import any_of

_before = runs.alias("before")
_behind = (
    sa.select(_before.c.id)
    .where(
        _before.c.session_id == runs.c.session_id,
        _before.c.settled_at.is_(None),
        _before.c.seq < runs.c.seq,
    )
    .order_by(_before.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
_is_running = runs.c.status == sa.literal_column(f"'{RunStatus.RUNNING}'")
_is_blocked = runs.c.dispatch == sa.literal_column(f"'{Dispatch.BLOCKED}'")
# The attempt that ended the run has its last fence.
_last = attempts.alias("last")
_SELECT = (
    sa.select(
        runs,
        agents.c.name.label("agent"),
        agents.c.model,
        run_details.c.error,
        run_details.c.usage,
        run_details.c.reasoning,
        run_details.c.approvals,
        run_details.c.options,
        sessions.c.tenant,
        sessions.c.user_id,
        sessions.c.active_run_id,
        sa.case((_is_blocked, sa.func.coalesce(sessions.c.active_run_id, _behind))).label(
            "busy_with"
        ),
        pools.c.paused_at,
        workers.c.name.label("worker"),
        sa.case((_is_running, runs.c.attempt), else_=_last.c.number).label("claimed_attempt"),
    )
    .join_from(runs, sessions, sessions.c.id == runs.c.session_id)
    .join(agents, agents.c.id == runs.c.agent_id)
    .outerjoin(run_details, run_details.c.run_id == runs.c.id)
    .outerjoin(pools, pools.c.name == runs.c.pool)
    .outerjoin(_last, sa.and_(_last.c.run_id == runs.c.id, _last.c.fence == runs.c.fence))
    .outerjoin(workers, workers.c.id == sa.func.coalesce(runs.c.worker_id, _last.c.worker_id))
    .where(sessions.c.deleted_at.is_(None))
)
_ONE = _SELECT.where(runs.c.id == sa.bindparam("_id"))
_SEVERAL = _SELECT.where(any_of(runs.c.id, "ids"))
# Skipped are entries of an index, and not rows of all that is joined.
_skipped = (
    sa.select(runs.c.id)
    .where(runs.c.session_id == sa.bindparam("_session"))
    .order_by(runs.c.seq.asc().nulls_last(), runs.c.id)
    .limit(sa.bindparam("_limit", type_=sa.Integer))
    .offset(sa.bindparam("_offset", type_=sa.BigInteger))
    .subquery()
)
_IN_LINE = _SELECT.join(_skipped, _skipped.c.id == runs.c.id).order_by(
    runs.c.seq.asc().nulls_last(), runs.c.id
)
_SUCCEEDED = (
    _SELECT.where(
        runs.c.session_id == sa.bindparam("_session"),
        runs.c.seq > sa.bindparam("_after", type_=sa.BigInteger),
        runs.c.status == sa.literal_column(f"'{RunStatus.SUCCEEDED}'"),
    )
    .order_by(runs.c.seq)
    .limit(sa.bindparam("_limit", type_=sa.Integer))
)
_STANDING = (
    sa.select(
        runs.c.session_id, runs.c.status, sessions.c.version, sessions.c.tenant, sessions.c.user_id
    )
    .join_from(runs, sessions, sessions.c.id == runs.c.session_id)
    .where(runs.c.id == sa.bindparam("_id"), sessions.c.deleted_at.is_(None))
)
_CONTEXT = sa.select(run_details.c.retrieved_context).where(
    run_details.c.run_id == sa.bindparam("_id")
)
_ATTEMPTS = (
    sa.select(attempts, workers.c.name.label("worker"))
    .outerjoin_from(attempts, workers, workers.c.id == attempts.c.worker_id)
    .where(attempts.c.run_id == sa.bindparam("_id"))
    .order_by(attempts.c.fence)
)


async def standing(
    reading: AsyncConnection, principal: Principal, run_id: RunId
) -> tuple[SessionId, int, RunStatus] | None:
    """Read a run's session, its version, and the run's status, if it exists for this caller."""
    row = (await reading.execute(_STANDING, {"_id": run_id})).one_or_none()
    if row is None or not principal.sees(row.tenant, row.user_id):
        return None
    return SessionId(row.session_id), row.version, RunStatus(row.status)


async def fetch(
    store: Store, reading: AsyncConnection, principal: Principal, run_id: RunId
) -> Run | None:
    """Read one run with its ended attempts, if it exists for this caller."""
    row = (await reading.execute(_ONE, {"_id": run_id})).one_or_none()
    if row is None or not principal.sees(row.tenant, row.user_id):
        return None
    tried = [to_attempt(each) for each in await reading.execute(_ATTEMPTS, {"_id": run_id})]
    return (await _complete(store, reading, [row], tried))[0]


async def several(
    store: Store, reading: AsyncConnection, ids: Collection[UUID]
) -> dict[RunId, Run]:
    """Read runs by id, whosever they are, without those of deleted sessions."""
    rows = (await reading.execute(_SEVERAL, {"ids": ids})).all()
    return {run.id: run for run in await _complete(store, reading, rows)}


async def page(
    store: Store,
    reading: AsyncConnection,
    principal: Principal,
    filters: RunFilter,
    slice_: Page,
    agent_id: AgentId | None,
) -> Listing[Run]:
    """List runs: of one session by `seq`, of all that the caller sees by when they came."""
    query = _SELECT.where(*visible(principal), *_conditions(filters, agent_id))
    if filters.session_id is not None:
        rows = await session_runs.read(reading, query, slice_)
        ends = {row.id: session_runs.key(row) for row in rows}
    else:
        stored = paged(query, slice_, runs.c.stored_at, runs.c.id)
        rows = (await reading.execute(stored)).all()
        ends = {row.id: (row.stored_at, row.id.hex) for row in rows}
    return slice_.cut(await _complete(store, reading, rows), lambda run: ends[run.id])


async def in_line(
    store: Store, reading: AsyncConnection, session_id: SessionId, *, limit: int, offset: int
) -> list[Run]:
    """List a session's runs by `seq`, those that are not due last."""
    asked = {"_session": session_id, "_limit": limit, "_offset": offset}
    return await _complete(store, reading, (await reading.execute(_IN_LINE, asked)).all())


async def succeeded(
    store: Store, reading: AsyncConnection, session_id: SessionId, *, after: int, limit: int
) -> list[Run]:
    """List a session's runs that were answered, by `seq`, from the one `after` on."""
    asked = {"_session": session_id, "_limit": limit, "_after": after}
    return await _complete(store, reading, (await reading.execute(_SUCCEEDED, asked)).all())


async def retrieved_context(reading: AsyncConnection, run_id: RunId) -> tuple[JsonObject, ...]:
    """Read the chunks that were fetched for a run."""
    stored = (await reading.execute(_CONTEXT, {"_id": run_id})).scalar_one_or_none()
    return tuple(stored or ())


async def _complete(
    store: Store,
    reading: AsyncConnection,
    rows: Any,  # noqa: ANN401  (rows of _SELECT)
    tried: Sequence[Attempt] | None = None,
) -> list[Run]:
    """Read what belongs to the rows; only one that comes alone has `tried`, and a position."""
    if not rows:
        return []
    known, ahead, now = {}, None, Instant(0)
    if any(row.status == RunStatus.QUEUED for row in rows):
        known, now = await forces(reading), await store.now(reading)
        ahead = None if tried is None else await ahead_of(reading, rows[0], now)
    inputs = await messages.inputs(reading, [row.id for row in rows])
    wanted: list[UUID] = [row.output_message_id for row in rows if row.output_message_id]
    outputs = await messages.by_ids(reading, wanted) if wanted else {}
    return [
        to_run(
            row,
            now=now,
            message_ids=[message.id for message in inputs[row.id]],
            output=outputs.get(row.output_message_id),
            attempts=tried or (),
            pool=pool_of(row, known),
            ahead=ahead,
        )
        for row in rows
    ]


def _conditions(filters: RunFilter, agent_id: AgentId | None) -> list[Any]:
    wanted = {
        runs.c.session_id: filters.session_id,
        runs.c.status: filters.status,
        runs.c.agent_id: agent_id,
        runs.c.correlation_id: filters.correlation_id,
    }
    return [column == value for column, value in wanted.items() if value is not None]
