"""What a delivery says: written once, before its first attempt, and the same in each after it."""

from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa

from shared.clock import iso
from shared.domain.jsontypes import JsonObject
from shared.domain.printed import from_run, from_session, maybe_id
from shared.domain.run import TERMINAL, Run
from shared.storage import runs as run_rows
from shared.storage import sessions as session_rows
from shared.storage.schema import runs
from shared.storage.store import Store, Transaction
from shared.storage.types import AnyRow, any_of, dump_json

_COUNTS = sa.select(runs.c.id, runs.c.event_count).where(any_of(runs.c.id, "ids"))


async def write(store: Store, transaction: Transaction, rows: Sequence[AnyRow]) -> dict[UUID, str]:
    """Write the bodies of deliveries, by their id.

    The run, or the session, is as it is now; null if its session has been deleted.
    """
    told = await _of_runs(store, transaction, {row.run_id for row in rows if row.run_id})
    expired = {row.session_id for row in rows if row.run_id is None}
    told |= await _of_sessions(transaction, expired)
    return {row.id: _letter(row, told) for row in rows}


def _letter(row: AnyRow, told: dict[UUID, JsonObject]) -> str:
    ids: JsonObject = {"session_id": maybe_id("sess", row.session_id)}
    nothing: JsonObject = {"session": None}
    if row.run_id is not None:
        ids = {"run_id": maybe_id("run", row.run_id), **ids}
        nothing = {"event_id": None, "run": None}
    about = told.get(row.run_id or row.session_id, nothing)
    data = {**ids, "correlation_id": row.correlation_id, **about}
    return dump_json({"type": row.event, "timestamp": iso(row.created_at), "data": data})


async def _of_runs(
    store: Store, transaction: Transaction, ids: Collection[UUID]
) -> dict[UUID, JsonObject]:
    if not ids:
        return {}
    found = await run_rows.several(store, transaction, ids)
    counts = {row.id: row.event_count for row in await transaction.execute(_COUNTS, {"ids": ids})}
    return {
        run.id: {"event_id": _last_event(run, counts.get(run.id, 0)), "run": from_run(run)}
        for run in found.values()
    }


def _last_event(run: Run, count: int) -> str | None:
    """Name the event that says so too, for who reads on from there; not if more may come."""
    return f"{run.seq}-{count}" if count and run.status in TERMINAL else None


async def _of_sessions(transaction: Transaction, ids: Collection[UUID]) -> dict[UUID, JsonObject]:
    if not ids:
        return {}
    found = await session_rows.several(transaction, ids)
    return {session.id: {"session": from_session(session)} for session in found.values()}
