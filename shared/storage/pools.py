"""Pools: paused, bounded, and let go again."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.operations import Pool
from shared.domain.run import Dispatch, RunStatus
from shared.domain.waiting import CAUSE_CAP, CAUSE_PAUSED
from shared.storage.schema import pools, runs, workers
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

_name = sa.bindparam("_name", type_=sa.Text)
_is_ready = runs.c.dispatch == sa.literal_column(f"'{Dispatch.READY}'")


def _count(condition: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.count()).where(runs.c.pool == pools.c.name, condition).scalar_subquery()
    )


# Each count is answered by an index that holds nothing else.
_POOLS = sa.select(
    pools,
    _count(_is_ready).label("ready"),
    _count(runs.c.dispatch == sa.literal_column(f"'{Dispatch.ANNOUNCED}'")).label("announced"),
    _count(runs.c.status == sa.literal_column(f"'{RunStatus.RUNNING}'")).label("running"),
).order_by(pools.c.name)
_POOL = _POOLS.where(pools.c.name == _name)
_LIVE = sa.select(workers.c.pools, workers.c.slots, workers.c.free_slots).where(
    workers.c.lost_at.is_(None)
)
_LOCK = sa.select(pools).where(pools.c.name == _name).with_for_update(key_share=True)
_UPDATE = pools.update().where(pools.c.name == _name)
_HELD = (
    sa.select(runs.c.id)
    .where(
        runs.c.pool == _name,
        _is_ready,
        runs.c.announce_hold_until.is_not(None),
        any_of(runs.c.wait_cause, "causes"),
    )
    .with_for_update(skip_locked=True)
)
_LET_GO = (
    runs.update()
    .where(any_of(runs.c.id, "ids"))
    .values(announce_hold_until=None, wait_cause=None, wait_detail=None)
)


async def all_pools(reading: AsyncConnection) -> list[Pool]:
    """List every pool by name."""
    serving = (await reading.execute(_LIVE)).all()
    return [_to_pool(row, serving) for row in await reading.execute(_POOLS)]


async def fetch(reading: AsyncConnection, name: str) -> Pool | None:
    """Read one pool."""
    serving = (await reading.execute(_LIVE)).all()
    row = (await reading.execute(_POOL, {"_name": name})).one_or_none()
    return _to_pool(row, serving) if row else None


async def pause(transaction: Transaction, name: str, now: Instant) -> bool:
    """Let nothing of a pool start from now on; false if there is none of this name."""
    row = (await transaction.execute(_LOCK, {"_name": name})).one_or_none()
    if row is not None and row.paused_at is None:
        await transaction.execute(_UPDATE.values(paused_at=now), {"_name": name})
    return row is not None


async def resume(transaction: Transaction, name: str) -> bool:
    """Let a pool start runs again, at once those that were held back meanwhile."""
    if (await transaction.execute(_LOCK, {"_name": name})).first() is None:
        return False
    await transaction.execute(_UPDATE.values(paused_at=None), {"_name": name})
    await _let_go(transaction, name, CAUSE_PAUSED)
    return True


async def limit(transaction: Transaction, name: str, max_running: int | None) -> bool:
    """Bound what of a pool runs at once; what is above goes on to its end."""
    if (await transaction.execute(_LOCK, {"_name": name})).first() is None:
        return False
    await transaction.execute(_UPDATE.values(max_running=max_running), {"_name": name})
    await _let_go(transaction, name, CAUSE_CAP)
    return True


async def _let_go(transaction: Transaction, name: str, *causes: str) -> None:
    """End the holds of what a claim has sent back: as much as was announced, and no more."""
    held = await transaction.execute(_HELD, {"_name": name, "causes": causes})
    if ids := list(held.scalars()):
        await transaction.execute(_LET_GO, {"ids": ids})


def _to_pool(row: AnyRow, serving: Sequence[AnyRow]) -> Pool:
    mine = [worker for worker in serving if row.name in worker.pools]
    return Pool(
        name=row.name,
        paused_at=row.paused_at,
        max_running=row.max_running,
        ready=row.ready,
        announced=row.announced,
        running=row.running,
        workers=len(mine),
        slots=sum(worker.slots for worker in mine),
        free_slots=sum(worker.free_slots for worker in mine),
    )
