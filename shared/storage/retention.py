"""What goes with time: of each kind, how old the oldest is, and the removal of some of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.event import DELTAS
from shared.storage import deliveries, events, meters, upkeep
from shared.storage.each import Each
from shared.storage.schema import deliveries as delivery_rows
from shared.storage.schema import idempotency_keys, one_of, run_events, runs, sessions, workers
from shared.storage.schema import meters as meter_rows
from shared.storage.store import Transaction
from shared.storage.types import any_of

Remove: TypeAlias = Callable[[Transaction, Instant, int], Awaitable[int]]

_before = sa.bindparam("_before", type_=sa.BigInteger)
_limit = sa.bindparam("_limit", type_=sa.Integer)

_OLD_KEYS = (
    sa.select(idempotency_keys.c.principal_id, idempotency_keys.c.key)
    .where(idempotency_keys.c.created_at < _before)
    .order_by(idempotency_keys.c.created_at)
    .limit(_limit)
    .with_for_update(skip_locked=True)
)
_OLD_WORKERS = (
    sa.select(workers.c.id)
    .where(
        workers.c.lost_at < _before,
        ~sa.exists().where(
            runs.c.worker_id == workers.c.id,
            runs.c.status == sa.literal_column("'running'"),
        ),
    )
    .order_by(workers.c.lost_at)
    .limit(_limit)
    .with_for_update(skip_locked=True)
)
_FORGET_KEY = Each(
    {"_principal": idempotency_keys.c.principal_id, "_key": idempotency_keys.c.key},
    lambda value: idempotency_keys.delete().where(
        idempotency_keys.c.principal_id == value("_principal"),
        idempotency_keys.c.key == value("_key"),
    ),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of row. `remove` takes at most so many that are older, and tells how many it took;
    if that is as many as it might, there may be others.
    """

    remove: Remove
    oldest: sa.Select[Any]


async def oldest(reading: AsyncConnection, kind: Kind) -> Instant | None:
    """Read since when the oldest is there."""
    found: Instant | None = (await reading.execute(kind.oldest)).scalar_one()
    return found


async def _remove_keys(transaction: Transaction, before: Instant, limit: int) -> int:
    asked = {"_before": before, "_limit": limit}
    rows = (await transaction.execute(_OLD_KEYS, asked)).all()
    await _FORGET_KEY.execute(
        transaction, [{"_principal": row.principal_id, "_key": row.key} for row in rows]
    )
    return len(rows)


async def _remove_sessions(transaction: Transaction, _: Instant, limit: int) -> int:
    return limit if await upkeep.remove_deleted(transaction) else 0


async def _remove_workers(transaction: Transaction, before: Instant, limit: int) -> int:
    asked = {"_before": before, "_limit": limit}
    ids = list((await transaction.execute(_OLD_WORKERS, asked)).scalars())
    if ids:
        gone = workers.delete().where(any_of(workers.c.id, "ids"))
        await transaction.execute(gone, {"ids": ids})
    return len(ids)


def _since(
    column: sa.Column[Any], *conditions: sa.ColumnElement[bool] | sa.TextClause
) -> sa.Select[Any]:
    return sa.select(sa.func.min(column)).where(*conditions)


KINDS = {
    "deleted sessions": Kind(
        _remove_sessions, _since(sessions.c.deleted_at, sessions.c.deleted_at.is_not(None))
    ),
    "deltas of settled runs": Kind(
        events.prune_deltas, _since(run_events.c.at, sa.text(one_of("run_events.type", DELTAS)))
    ),
    "idempotency keys": Kind(_remove_keys, _since(idempotency_keys.c.created_at)),
    "deliveries that ended": Kind(
        deliveries.prune,
        _since(delivery_rows.c.created_at),
    ),
    "idle meters": Kind(meters.forget_idle, _since(meter_rows.c.arrival_at)),
    "workers that left": Kind(
        _remove_workers, _since(workers.c.lost_at, workers.c.lost_at.is_not(None))
    ),
}
