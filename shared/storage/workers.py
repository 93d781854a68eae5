"""Workers' rows: a worker's beat is its lease on every run it holds."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.execution import Held, NewWorker, Settlement
from shared.domain.outcome import GivenBack
from shared.domain.run import RunStatus
from shared.ids import WorkerId
from shared.storage.agents import save_pools
from shared.storage.schema import runs, workers
from shared.storage.store import Transaction
from shared.storage.types import JsonColumn

_BEAT = (
    workers.update()
    .where(workers.c.id == sa.bindparam("_id"), workers.c.lost_at.is_(None))
    .values(
        beat=workers.c.beat + 1,
        beat_at=sa.bindparam("_now", type_=sa.BigInteger),
        free_slots=sa.bindparam("_free"),
        run_seconds=sa.bindparam("_seconds", type_=JsonColumn),
    )
)
_HELD = sa.select(runs.c.id, runs.c.session_id, runs.c.fence, runs.c.cancel_requested_at).where(
    runs.c.worker_id == sa.bindparam("_id"), runs.c.status == RunStatus.RUNNING
)
_LIVE = sa.select(workers.c.id, workers.c.beat).where(workers.c.lost_at.is_(None))
_OTHERS = sa.select(workers.c.pools).where(
    workers.c.id != sa.bindparam("_id"), workers.c.lost_at.is_(None), workers.c.free_slots > 0
)
_LEFT_BEHIND = (
    sa.select(runs.c.id, runs.c.session_id, runs.c.fence)
    .join_from(runs, workers, workers.c.id == runs.c.worker_id)
    .where(runs.c.status == RunStatus.RUNNING, workers.c.lost_at.is_not(None))
    .order_by(runs.c.id)
    .limit(1000)
)


async def register(transaction: Transaction, worker: NewWorker, now: Instant) -> None:
    """Write the row of a worker that has just booted, and the pools it serves."""
    known = sa.select(workers.c.id).where(workers.c.id == worker.id)
    if (await transaction.execute(known)).first():
        return
    values: dict[str, Any] = {
        "id": worker.id,
        "name": worker.name,
        "pools": list(worker.pools),
        "slots": worker.slots,
        "free_slots": worker.slots,
        "started_at": now,
    }
    await save_pools(transaction, set(worker.pools))
    await transaction.execute(workers.insert(), values)


async def beat(
    transaction: Transaction,
    worker_id: WorkerId,
    free_slots: int,
    run_seconds: Mapping[str, float],
    now: Instant,
) -> bool:
    """Renew the lease; false once the worker was buried, which is final."""
    values = {"_free": free_slots, "_seconds": dict(run_seconds) or None, "_now": now}
    renewed = await transaction.execute(_BEAT, {"_id": worker_id} | values)
    return renewed.rowcount > 0


async def held(reading: AsyncConnection, worker_id: WorkerId) -> list[Held]:
    """List the runs that a worker holds, as SQL sees it."""
    rows = await reading.execute(_HELD, {"_id": worker_id})
    return [
        Held(
            run_id=row.id,
            session_id=row.session_id,
            fence=row.fence,
            cancel_requested=row.cancel_requested_at is not None,
        )
        for row in rows
    ]


async def others_free(reading: AsyncConnection, worker_id: WorkerId, pool: str) -> bool:
    """Tell whether another live worker of the pool reports free slots."""
    rows = await reading.execute(_OTHERS, {"_id": worker_id})
    return any(pool in pools for pools in rows.scalars())


async def beats(reading: AsyncConnection) -> dict[WorkerId, int]:
    """Read the beat of every worker that is not buried."""
    return {WorkerId(row.id): row.beat for row in await reading.execute(_LIVE)}


async def bury(transaction: Transaction, worker_id: UUID, seen_beat: int, now: Instant) -> bool:
    """End a worker for good, if its beat is still the one that was seen."""
    mine = workers.c.id == worker_id
    locked = sa.select(workers.c.beat, workers.c.lost_at).where(mine).with_for_update()
    row = (await transaction.execute(locked)).one_or_none()
    if row is None or row.lost_at is not None or row.beat != seen_beat:
        return False
    await transaction.execute(workers.update().where(mine).values(lost_at=now, free_slots=0))
    return True


async def bury_all(transaction: Transaction, now: Instant) -> None:
    """End every worker: at boot, the owner of a SQLite database is the only one there is."""
    living = workers.update().where(workers.c.lost_at.is_(None))
    await transaction.execute(living.values(lost_at=now, free_slots=0))


async def retire(transaction: Transaction, worker_id: WorkerId, now: Instant) -> None:
    """Take a worker that exits by itself off the list."""
    mine = workers.update().where(workers.c.id == worker_id, workers.c.lost_at.is_(None))
    await transaction.execute(mine.values(lost_at=now, free_slots=0))


async def left_behind(reading: AsyncConnection) -> list[Settlement]:
    """List the runs of buried workers, as exits that give them back and count the loss."""
    rows = await reading.execute(_LEFT_BEHIND)
    return [
        Settlement(
            run_id=row.id,
            session_id=row.session_id,
            fence=row.fence,
            outcome=GivenBack(lost=True),
        )
        for row in rows
    ]
