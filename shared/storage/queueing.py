"""Where a queued run stands: who serves its pool, and who is before it."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.pace import NOBODY, Hand, Workforce, workforces
from shared.domain.run import Dispatch, RunStatus
from shared.domain.waiting import Ahead, Pool
from shared.storage.rotation import count_waiting
from shared.storage.schema import runs, workers
from shared.storage.types import AnyRow

MOST_COUNTED = 1000
_MOST_TURNS = 100

_HANDS = sa.select(workers.c.pools, workers.c.slots, workers.c.run_seconds).where(
    workers.c.lost_at.is_(None)
)

_pool = sa.bindparam("_pool", type_=sa.Text)
_priority = sa.bindparam("_priority", type_=sa.SmallInteger)
_ready_at = sa.bindparam("_ready_at", type_=sa.BigInteger)
_announced_at = sa.bindparam("_announced_at", type_=sa.BigInteger)
_session = sa.bindparam("_session_id", type_=sa.Uuid)

_announced = sa.and_(
    runs.c.pool == _pool, runs.c.dispatch == sa.literal_column(f"'{Dispatch.ANNOUNCED}'")
)
_own = sa.and_(
    runs.c.pool == _pool,
    runs.c.principal_id == sa.bindparam("_principal_id", type_=sa.Uuid),
    runs.c.dispatch == sa.literal_column(f"'{Dispatch.READY}'"),
)
_in_line = sa.and_(runs.c.session_id == _session, runs.c.settled_at.is_(None))


def _count(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    """Count no further than matters: a queue may be very long."""
    some = sa.select(runs.c.id).where(*conditions).limit(MOST_COUNTED).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()


_chosen_before = sa.or_(
    runs.c.priority > _priority,
    sa.and_(runs.c.priority == _priority, runs.c.ready_at < _ready_at),
)
_LINE = sa.select(
    _count(_in_line, runs.c.seq < sa.bindparam("_seq", type_=sa.BigInteger)).label("runs"),
    sa.select(runs.c.claimed_at)
    .where(runs.c.id == sa.bindparam("_live", type_=sa.Uuid), runs.c.status == RunStatus.RUNNING)
    .scalar_subquery()
    .label("live_since"),
)
_BROKER = sa.select(
    _count(
        _announced,
        sa.or_(
            runs.c.announced_at < _announced_at,
            sa.and_(runs.c.announced_at == _announced_at, _chosen_before),
        ),
    )
)
_POOL = sa.select(
    _count(_announced).label("announced"),
    _count(_own, runs.c.priority > _priority).label("higher"),
    _count(_own, runs.c.priority == _priority, runs.c.ready_at < _ready_at).label("earlier"),
)


async def forces(reading: AsyncConnection) -> dict[str, Workforce]:
    """Read who serves each pool, and how long runs take there."""
    return workforces(
        Hand(pools=tuple(row.pools), slots=row.slots, run_seconds=row.run_seconds or {})
        for row in await reading.execute(_HANDS)
    )


def pool_of(row: AnyRow, known: dict[str, Workforce]) -> Pool:
    """Say how it is about a run's pool."""
    paused = row.paused_at is not None
    return Pool(name=row.pool, paused=paused, force=known.get(row.pool, NOBODY))


async def ahead_of(reading: AsyncConnection, row: AnyRow, now: Instant) -> Ahead | None:
    """Count who is before a run: in its session's line, in the broker, or in its pool."""
    match row.dispatch:
        case Dispatch.BLOCKED:
            asked = {"_session_id": row.session_id, "_seq": row.seq, "_live": row.active_run_id}
            found = await reading.execute(_LINE, asked)
            return Ahead(**found.one()._mapping)  # noqa: SLF001  (public in SQLAlchemy)
        case Dispatch.ANNOUNCED:
            found = await reading.execute(_BROKER, _place(row, "announced_at"))
            return Ahead(runs=found.scalar_one())
        case Dispatch.READY:
            return await _ahead_in_pool(reading, row, now)
    return None


async def _ahead_in_pool(reading: AsyncConnection, row: AnyRow, now: Instant) -> Ahead:
    """Count what is announced, and the caller's own; with other callers it takes turns."""
    found = (await reading.execute(_POOL, _place(row, "principal_id"))).one()
    own = found.higher + found.earlier
    callers = await count_waiting(reading, row.pool, now, _MOST_TURNS)
    return Ahead(
        runs=min(found.announced + own, MOST_COUNTED), rivals=max(0, callers - 1) * (own + 1)
    )


def _place(row: AnyRow, name: str) -> dict[str, Any]:
    return {f"_{each}": getattr(row, each) for each in ("pool", "priority", "ready_at", name)}
