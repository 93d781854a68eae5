"""Events as they are written: fenced, numbered by the run's own count, never twice."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant
from shared.domain.errors import InturnError
from shared.domain.event import DELTAS, EventType, NewEvent, Said, settled
from shared.domain.execution import Append
from shared.domain.run import RunError, RunStatus
from shared.storage.each import Each, insert_each
from shared.storage.schema import one_of, run_events, runs
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

Row = dict[str, Any]

WRITE = insert_each(run_events, "run_id", "number", "type", "data", "at")

_RUNS = (
    sa.select(runs.c.id, runs.c.status, runs.c.fence, runs.c.event_count)
    .where(any_of(runs.c.id, "ids"))
    .order_by(runs.c.id)
    .with_for_update(key_share=True)
)
_COUNT = Each(
    {"_id": runs.c.id, "_count": runs.c.event_count, "_first": runs.c.first_token_at},
    lambda value: (
        runs.update()
        .where(runs.c.id == value("_id"))
        .values(
            event_count=value("_count"),
            first_token_at=sa.func.coalesce(runs.c.first_token_at, value("_first")),
        )
    ),
)
_ATTEMPTS = sa.select(run_events.c.run_id, run_events.c.data).where(
    any_of(run_events.c.run_id, "ids"), run_events.c.type == EventType.ATTEMPT_STARTED
)

_before = sa.bindparam("_before", type_=sa.BigInteger)
_OLD_DELTAS = (
    sa.select(run_events.c.run_id, run_events.c.number)
    .join_from(run_events, runs, runs.c.id == run_events.c.run_id)
    .where(
        sa.text(one_of("run_events.type", DELTAS)),
        run_events.c.at < _before,
        runs.c.settled_at < _before,
    )
    .order_by(run_events.c.at)
    .limit(sa.bindparam("_limit", type_=sa.Integer))
)
_REMOVE = Each(
    {"_run": run_events.c.run_id, "_number": run_events.c.number},
    lambda value: run_events.delete().where(
        run_events.c.run_id == value("_run"), run_events.c.number == value("_number")
    ),
)


async def append(transaction: Transaction, appends: Sequence[Append]) -> list[bool | InturnError]:
    """Write what live runs said; false where the fence is stale, and then nothing was written."""
    locked = await transaction.execute(_RUNS, {"ids": {each.run_id for each in appends}})
    rows = {row.id: row for row in locked}
    counts: dict[UUID, Row] = {}
    written: list[Row] = []
    results: list[bool | InturnError] = []
    for each in appends:
        row = rows.get(each.run_id)
        held = row is not None and row.status == RunStatus.RUNNING and row.fence == each.fence
        results.append(held)
        if row is not None and held:
            known = counts.get(row.id, {"_count": row.event_count, "_first": None})
            fresh = numbered(row.id, known["_count"], unwritten(known["_count"], each.said))
            written += fresh
            counts[row.id] = {
                "_id": row.id,
                "_count": known["_count"] + len(fresh),
                "_first": known["_first"] or each.first_token_at,
            }
    await WRITE.execute(transaction, written)
    await _COUNT.execute(transaction, list(counts.values()))
    return results


def unwritten(count: int, said: Said) -> Sequence[NewEvent]:
    """Leave out what is there: an append whose answer was lost."""
    return said.events[max(0, count - said.start) :]


def numbered(run_id: UUID, count: int, events: Iterable[NewEvent]) -> list[Row]:
    """Make rows of the events that follow the first `count`."""
    return [
        {
            "run_id": run_id,
            "number": number,
            "type": event.type.value,
            "data": event.data,
            "at": event.at,
        }
        for number, event in enumerate(events, count + 1)
    ]


async def end(
    transaction: Transaction,
    ended: Iterable[tuple[AnyRow, RunStatus, RunError | None]],
    now: Instant,
) -> None:
    """Write the last event of runs that end without a worker, if they ever started.

    The rows are those of `runs`, locked by this transaction, as they were before.
    """
    started = [each for each in ended if each[0].event_count]
    last = [
        numbered(row.id, row.event_count, [settled(status, error, now)])[0]
        for row, status, error in started
    ]
    await WRITE.execute(transaction, last)
    counts = [{"_id": row["run_id"], "_count": row["number"], "_first": None} for row in last]
    await _COUNT.execute(transaction, counts)


async def opened(transaction: Transaction, run_ids: Collection[UUID]) -> set[tuple[UUID, int]]:
    """Tell which attempts, by run and fence, have said that they started."""
    if not run_ids:
        return set()
    rows = await transaction.execute(_ATTEMPTS, {"ids": run_ids})
    return {(row.run_id, row.data["fence"]) for row in rows}


async def prune_deltas(transaction: Transaction, before: Instant, limit: int) -> int:
    """Remove deltas of runs that settled before then, at most so many; return how many."""
    asked = {"_before": before, "_limit": limit}
    old = (await transaction.execute(_OLD_DELTAS, asked)).all()
    rows = [{"_run": row.run_id, "_number": row.number} for row in old]
    await _REMOVE.execute(transaction, rows)
    return len(rows)
