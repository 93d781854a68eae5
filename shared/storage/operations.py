"""What operators look at: workers, and the figures of the whole."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import SECOND, Instant
from shared.domain.operations import Backlog, Crew, Figures, Worker, WorkerState
from shared.domain.paging import Listing, Page
from shared.domain.run import LIVE, RunStatus
from shared.storage.keyset import paged
from shared.storage.schema import deliveries, pools, runs, workers
from shared.storage.store import Store
from shared.storage.types import AnyRow

_RUNNING = (
    sa.select(sa.func.count())
    .where(
        runs.c.worker_id == workers.c.id,
        runs.c.status == sa.literal_column(f"'{RunStatus.RUNNING}'"),
    )
    .scalar_subquery()
)
_WORKERS = sa.select(workers, _RUNNING.label("running"))
_STATES: dict[WorkerState, list[sa.ColumnElement[bool]]] = {
    WorkerState.LIVE: [workers.c.lost_at.is_(None)],
    WorkerState.LOST: [workers.c.lost_at.is_not(None)],
    WorkerState.ALL: [],
}

_QUEUED = (
    sa.select(runs.c.pool, sa.func.count().label("queued"), sa.func.min(runs.c.stored_at))
    .where(runs.c.status == sa.literal_column(f"'{RunStatus.QUEUED}'"))
    .group_by(runs.c.pool)
)
_NAMES = sa.select(pools.c.name).order_by(pools.c.name)


def _number(status: RunStatus) -> sa.Select[str, int]:
    # Not grouped: each status has an index of its own, and all of them together have none.
    is_so = runs.c.status == sa.literal_column(f"'{status}'")
    name: sa.ColumnElement[str] = sa.literal_column(f"'{status}'", sa.Text)
    return sa.select(name, sa.func.count()).where(is_so)


_LIVE_RUNS = sa.union_all(*map(_number, sorted(LIVE)))
_CREW = sa.select(
    sa.func.count(),
    sa.func.coalesce(sa.func.sum(workers.c.slots), 0),
    sa.func.coalesce(sa.func.sum(workers.c.free_slots), 0),
).where(workers.c.lost_at.is_(None))
_ACCEPTED = sa.select(sa.func.count()).where(runs.c.stored_at > sa.bindparam("_since"))
_PENDING = sa.select(sa.func.count(), sa.func.min(deliveries.c.created_at)).where(
    deliveries.c.next_at.is_not(None)
)


async def workers_page(
    reading: AsyncConnection, state: WorkerState, slice_: Page
) -> Listing[Worker]:
    """List workers by when they started."""
    query = _WORKERS.where(*_STATES[state])
    rows = (await reading.execute(paged(query, slice_, workers.c.started_at, workers.c.id))).all()
    found = list(map(_to_worker, rows))
    return slice_.cut(found, lambda worker: (worker.started_at, worker.id.hex))


async def figures(store: Store, reading: AsyncConnection) -> Figures:
    """Count what is unfinished, and what came in during the last minute."""
    now = await store.now(reading)
    names = (await reading.execute(_NAMES)).scalars().all()
    queued = (await reading.execute(_QUEUED)).all()
    backlog = dict.fromkeys(names, Backlog(queued=0, oldest_seconds=0.0)) | {
        pool: Backlog(queued=number, oldest_seconds=_age(oldest, now))
        for pool, number, oldest in queued
    }
    states = {RunStatus(status): number for status, number in await reading.execute(_LIVE_RUNS)}
    live, slots, free = (await reading.execute(_CREW)).one()
    accepted = (await reading.execute(_ACCEPTED, {"_since": now - 60 * SECOND})).scalar_one()
    pending, oldest = (await reading.execute(_PENDING)).one()
    return Figures(
        at=now,
        runs={RunStatus.QUEUED: sum(row.queued for row in queued)} | states,
        backlog=backlog,
        crew=Crew(live=live, slots=slots, free_slots=free),
        accepted_a_minute=accepted,
        deliveries_pending=pending,
        deliveries_oldest_seconds=_age(oldest, now),
    )


def _age(oldest: Instant | None, now: Instant) -> float:
    return 0.0 if oldest is None else max(0.0, (now - oldest) / SECOND)


def _to_worker(row: AnyRow) -> Worker:
    return Worker(
        id=row.id,
        name=row.name,
        pools=tuple(row.pools),
        slots=row.slots,
        free_slots=row.free_slots,
        running=row.running,
        started_at=row.started_at,
        beat_at=row.beat_at,
        lost_at=row.lost_at,
    )
