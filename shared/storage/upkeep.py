"""What is swept: rows of tombstoned sessions. And what is counted: totals."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.ids import PrincipalId
from shared.storage import deliveries, schedules
from shared.storage.schema import (
    attempts,
    messages,
    run_details,
    run_events,
    run_inputs,
    runs,
    sessions,
)
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

_DELETED_AT_ONCE = 200  # sessions, and
_REMOVED_AT_ONCE = 500  # rows of each table, and so many runs as have no more than these
_EVENTS_AT_ONCE = 5_000  # events: nobody waits long for the one writer of SQLite

_TOTALS = (
    sa.select(runs.c.principal_id, sa.func.count())
    .where(runs.c.status == sa.literal_column("'queued'"))
    .group_by(runs.c.principal_id)
)


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
    await schedules.remove_of_sessions(transaction, ids)
    await deliveries.forget_sessions(transaction, ids)
    await transaction.execute(sessions.delete().where(any_of(sessions.c.id, "ids")), {"ids": ids})
    return len(ids) == _DELETED_AT_ONCE


async def _remove_runs(transaction: Transaction, session_ids: Sequence[UUID]) -> bool:
    query = sa.select(runs.c.id, runs.c.event_count).where(any_of(runs.c.session_id, "ids"))
    found = (await transaction.execute(query.limit(_REMOVED_AT_ONCE), {"ids": session_ids})).all()
    ids = _with_few_events(found)
    if ids:
        for table in (run_inputs, run_details, run_events, attempts):
            rows = table.delete().where(any_of(table.c.run_id, "ids"))
            await transaction.execute(rows, {"ids": ids})
        await deliveries.forget_runs(transaction, ids)
        await transaction.execute(runs.delete().where(any_of(runs.c.id, "ids")), {"ids": ids})
    return len(found) == _REMOVED_AT_ONCE or len(ids) < len(found)


def _with_few_events(found: Sequence[AnyRow]) -> list[UUID]:
    """Choose as many runs as have not too many events together, and one at least."""
    ids: list[UUID] = []
    count = 0
    for row in found:
        count += row.event_count
        if ids and count > _EVENTS_AT_ONCE:
            break
        ids.append(row.id)
    return ids


async def _remove_messages(transaction: Transaction, session_ids: Sequence[UUID]) -> bool:
    query = sa.select(messages.c.id).where(any_of(messages.c.session_id, "ids"))
    found = await transaction.execute(query.limit(_REMOVED_AT_ONCE), {"ids": session_ids})
    if ids := list(found.scalars()):
        rows = messages.delete().where(any_of(messages.c.id, "ids"))
        await transaction.execute(rows, {"ids": ids})
    return len(ids) == _REMOVED_AT_ONCE


async def queued_totals(reading: AsyncConnection) -> dict[PrincipalId, int]:
    """Count the queued runs of each principal that has any."""
    rows = await reading.execute(_TOTALS)
    return {PrincipalId(principal_id): total for principal_id, total in rows}
