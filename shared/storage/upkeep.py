"""What time brings: due runs, expired approvals, tombstones, totals."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.run import Dispatch, ErrorCode, RunError, RunEvent, RunStatus, target
from shared.ids import PrincipalId
from shared.storage.lines import finish, lock_lines, promote
from shared.storage.rows import from_error
from shared.storage.schema import (
    attempts,
    messages,
    run_details,
    run_events,
    run_inputs,
    runs,
    sessions,
)
from shared.storage.store import Store, Transaction
from shared.storage.types import any_of

_DUE_A_ROUND = 500
_DELETED_AT_ONCE = 200  # sessions, and
_REMOVED_AT_ONCE = 500  # rows of each table: nobody waits long for the one writer of SQLite

_now = sa.bindparam("_now", type_=sa.BigInteger)
_DUE = (
    sa.select(runs.c.id, runs.c.session_id)
    .where(runs.c.dispatch == sa.literal_column("'scheduled'"), runs.c.available_at <= _now)
    .order_by(runs.c.available_at)
    .limit(_DUE_A_ROUND)
)
_EXPIRED = (
    sa.select(runs.c.id, runs.c.session_id)
    .where(runs.c.status == sa.literal_column("'waiting'"), runs.c.available_at <= _now)
    .order_by(runs.c.available_at)
    .limit(_DUE_A_ROUND)
)
_LOCKED = sa.select(runs).where(any_of(runs.c.id, "ids")).order_by(runs.c.id).with_for_update()
_TOTALS = (
    sa.select(runs.c.principal_id, sa.func.count())
    .where(runs.c.status == sa.literal_column("'queued'"))
    .group_by(runs.c.principal_id)
)


async def any_due(store: Store, reading: AsyncConnection) -> bool:
    """Tell whether a scheduled run's time has come."""
    due = await reading.execute(_DUE, {"_now": await store.now(reading)})
    return due.first() is not None


async def release_due(store: Store, transaction: Transaction) -> set[str]:
    """Give scheduled runs whose time has come their place in the line, and promote."""
    due = (await transaction.execute(_DUE, {"_now": await store.now(transaction)})).all()
    if not due:
        return set()
    lines = await lock_lines(transaction, [row.session_id for row in due])
    now = await store.now(transaction)
    rows = (await transaction.execute(_LOCKED, {"ids": [row.id for row in due]})).all()
    come = [row for row in rows if row.dispatch == Dispatch.SCHEDULED and row.available_at <= now]
    for row in come:
        values: dict[str, Any] = {"dispatch": Dispatch.BLOCKED}
        if row.seq is None:
            values["seq"] = lines[row.session_id].next_seq()
            lines[row.session_id].moved = True
        await transaction.execute(runs.update().where(runs.c.id == row.id).values(values))
    await finish(transaction, lines.values(), now)
    return await promote(transaction, sorted(lines), now)


async def expire_waiting(store: Store, transaction: Transaction) -> list[UUID]:
    """Fail the runs whose approval did not come in time; return their sessions."""
    expired = (await transaction.execute(_EXPIRED, {"_now": await store.now(transaction)})).all()
    if not expired:
        return []
    lines = await lock_lines(transaction, [row.session_id for row in expired])
    now = await store.now(transaction)
    error = from_error(RunError(code=ErrorCode.APPROVAL_EXPIRED, message="Nobody decided in time."))
    for row in await transaction.execute(_LOCKED, {"ids": [row.id for row in expired]}):
        if row.status != RunStatus.WAITING or row.available_at > now:
            continue
        status = target(RunEvent.EXPIRE)
        lines[row.session_id].shift(row.id, RunStatus.WAITING, status, error)
        failed = runs.update().where(runs.c.id == row.id)
        await transaction.execute(failed.values(status=status, settled_at=now))
        details = run_details.update().where(run_details.c.run_id == row.id)
        await transaction.execute(details.values(error=error))
    await finish(transaction, lines.values(), now)
    return list(lines)


async def remove_deleted(transaction: Transaction) -> bool:
    """Remove some rows of tombstoned sessions in which nothing is live; tell if there are more."""
    live = sa.exists().where(runs.c.session_id == sessions.c.id, runs.c.settled_at.is_(None))
    gone = (
        sa.select(sessions.c.id)
        .where(sessions.c.deleted_at.is_not(None), ~live)
        .order_by(sessions.c.id)
        .limit(_DELETED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids = list((await transaction.execute(gone)).scalars())
    if not ids:
        return False
    # Runs before messages: a run that succeeded has its answer for as long as it is there.
    if await _remove_runs(transaction, ids) or await _remove_messages(transaction, ids):
        return True
    await transaction.execute(sessions.delete().where(any_of(sessions.c.id, "ids")), {"ids": ids})
    return len(ids) == _DELETED_AT_ONCE


async def _remove_runs(transaction: Transaction, session_ids: Sequence[UUID]) -> bool:
    ids = await _some(transaction, runs, session_ids)
    if ids:
        for table in (run_inputs, run_details, run_events, attempts):
            rows = table.delete().where(any_of(table.c.run_id, "ids"))
            await transaction.execute(rows, {"ids": ids})
        await transaction.execute(runs.delete().where(any_of(runs.c.id, "ids")), {"ids": ids})
    return len(ids) == _REMOVED_AT_ONCE


async def _remove_messages(transaction: Transaction, session_ids: Sequence[UUID]) -> bool:
    ids = await _some(transaction, messages, session_ids)
    if ids:
        rows = messages.delete().where(any_of(messages.c.id, "ids"))
        await transaction.execute(rows, {"ids": ids})
    return len(ids) == _REMOVED_AT_ONCE


async def _some(
    transaction: Transaction, table: sa.Table, session_ids: Sequence[UUID]
) -> list[UUID]:
    query = sa.select(table.c.id).where(any_of(table.c.session_id, "ids")).limit(_REMOVED_AT_ONCE)
    return list((await transaction.execute(query, {"ids": session_ids})).scalars())


async def queued_totals(reading: AsyncConnection) -> dict[PrincipalId, int]:
    """Count the queued runs of each principal that has any."""
    rows = await reading.execute(_TOTALS)
    return {PrincipalId(principal_id): total for principal_id, total in rows}
