"""From ready to announced: windows keep the broker short, and the mark is compare-and-set."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import SECOND, Instant, after
from shared.domain.execution import Announcement
from shared.domain.run import Dispatch, RunStatus
from shared.ids import RunId
from shared.storage.claims import USED_UP
from shared.storage.rotation import waiting_principals
from shared.storage.schema import pools, runs, workers
from shared.storage.store import Store, Transaction
from shared.storage.types import any_of

# What may be on its way or running: of a pool, and of one principal in it. A principal's is
# small, for the broker's queue is in order: who comes next waits for what is in it.
LEAST_WINDOW, LEAST_OWN_WINDOW = 100, 20
_HOLD_SECONDS = 10.0
_PRINCIPALS_A_TAKE = 100
_PATIENCE_SECONDS, _MOST_PATIENCE_SECONDS = 15, 300
_REANNOUNCED_A_SWEEP = 1000

_now = sa.bindparam("_now", type_=sa.BigInteger)
_pool = sa.bindparam("_pool", type_=sa.Text)
_is_ready = runs.c.dispatch == sa.literal_column(f"'{Dispatch.READY}'")
_is_announced = runs.c.dispatch == sa.literal_column(f"'{Dispatch.ANNOUNCED}'")
_is_running = runs.c.status == sa.literal_column(f"'{RunStatus.RUNNING}'")
_not_held = sa.or_(runs.c.announce_hold_until.is_(None), runs.c.announce_hold_until <= _now)
# On its way to the broker, not held back by a cap.
_is_held = runs.c.announce_hold_until > _now
_is_leaving = sa.and_(_is_ready, _is_held, runs.c.wait_cause.is_(None))

_LOCK_POOL = (
    sa.select(pools.c.paused_at)
    .where(pools.c.name == _pool)
    .with_for_update(key_share=True, skip_locked=True)
)
_POOL = sa.select(pools.c.name).where(pools.c.name == _pool)
_WORKERS = sa.select(workers.c.pools, workers.c.slots).where(workers.c.lost_at.is_(None))


def _count(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(runs.c.principal_id, sa.func.count().label("total"))
        .where(runs.c.pool == _pool, condition)
        .group_by(runs.c.principal_id)
    )


_IN_FLIGHT = sa.union_all(_count(_is_announced), _count(_is_running), _count(_is_leaving))
_NEXT = (
    sa.select(runs.c.id, runs.c.fence, runs.c.announce_count)
    .where(
        runs.c.pool == _pool,
        runs.c.principal_id == sa.bindparam("_principal", type_=sa.Uuid),
        _is_ready,
        _not_held,
    )
    .order_by(runs.c.priority.desc(), runs.c.ready_at)
    .limit(sa.bindparam("_limit", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_HOLD = (
    runs.update()
    .where(any_of(runs.c.id, "ids"))
    .values(announce_hold_until=_now, wait_cause=None, wait_detail=None)
)

_UNMARKED = (
    sa.select(runs.c.id, runs.c.fence, runs.c.announce_count)
    .where(any_of(runs.c.id, "ids"), _is_ready)
    .with_for_update(skip_locked=True)
)
_MARK = (
    runs.update()
    .where(any_of(runs.c.id, "ids"), _is_ready)
    .values(
        dispatch=Dispatch.ANNOUNCED,
        announced_at=_now,
        announce_count=runs.c.announce_count + 1,
        announce_hold_until=None,
    )
)
_RELEASE = runs.update().where(any_of(runs.c.id, "ids"), _is_ready).values(announce_hold_until=None)
_HAND_BACK = (
    runs.update()
    .where(runs.c.id == sa.bindparam("_id"), sa.or_(_is_ready, _is_announced))
    .values(USED_UP | {"announce_hold_until": _now})
    .returning(runs.c.pool)
)
# Doubles: a crash heals quickly, an honest backlog is amplified by its logarithm.
_patience = sa.case(
    *(
        (runs.c.announce_count <= count, sa.literal(_PATIENCE_SECONDS * 2 ** (count - 1)))
        for count in range(1, 6)
    ),
    else_=sa.literal(_MOST_PATIENCE_SECONDS),
)
_OVERDUE = (
    sa.select(runs.c.id)
    .where(
        _is_announced,
        runs.c.announced_at + sa.cast(_patience, sa.BigInteger) * SECOND < _now,
    )
    .order_by(runs.c.announced_at)
    .limit(_REANNOUNCED_A_SWEEP)
    .with_for_update(skip_locked=True)
)
_FORGET_ALL = (
    runs.update().where(_is_announced).values(dispatch=Dispatch.READY, announce_hold_until=None)
)
_FORGET = _FORGET_ALL.where(any_of(runs.c.id, "ids"))
_POOLS_WITH_READY = sa.select(pools.c.name).where(
    sa.exists().where(runs.c.pool == pools.c.name, _is_ready, _not_held)
)


async def take(
    store: Store, transaction: Transaction, pool: str, limit: int
) -> list[Announcement] | None:
    """Hold ready runs of a pool for publication, as many as its windows have room for.

    The pool's row is locked, so windows are exact however many relays ask; None means that
    another has it now. Fewer than `limit` means that there are no more. Principals with the
    fewest runs in flight go first; within one, priority and then age.
    """
    locked = (await transaction.execute(_LOCK_POOL, {"_pool": pool})).one_or_none()
    if locked is None:
        return None if (await transaction.execute(_POOL, {"_pool": pool})).first() else []
    if locked.paused_at is not None:
        return []
    now = await store.now(transaction)
    window, own = await _windows(transaction, pool)
    in_flight = await _in_flight(transaction, pool, now)
    taken: list[Announcement] = []
    more = True
    while more and (room := min(limit - len(taken), window - in_flight.total())) > 0:
        chosen, more = await _choose(
            transaction, pool, now, room=room, own=own, in_flight=in_flight
        )
        taken += chosen
    return taken


async def _windows(transaction: Transaction, pool: str) -> tuple[int, int]:
    rows = await transaction.execute(_WORKERS)
    slots: int = sum(row.slots for row in rows if pool in row.pools)
    return max(LEAST_WINDOW, 2 * slots), max(LEAST_OWN_WINDOW, 2 * slots)


async def _in_flight(transaction: Transaction, pool: str, now: Instant) -> Counter[UUID]:
    counts: Counter[UUID] = Counter()
    for principal_id, total in await transaction.execute(_IN_FLIGHT, {"_pool": pool, "_now": now}):
        counts[principal_id] += total
    return counts


async def _choose(
    transaction: Transaction,
    pool: str,
    now: Instant,
    *,
    room: int,
    own: int,
    in_flight: Counter[UUID],
) -> tuple[list[Announcement], bool]:
    """Hold a fair share of each principal's rows; tell whether somebody may have more."""
    waiting = await waiting_principals(transaction, pool, now)
    everybody = [principal for principal in waiting if in_flight[principal] < own]
    everybody.sort(key=lambda principal: in_flight[principal])
    principals = everybody[: min(room, _PRINCIPALS_A_TAKE)]
    share, more = max(1, room // max(1, len(principals))), len(everybody) > len(principals)
    chosen: list[Announcement] = []
    for principal in principals:
        limit = min(share, own - in_flight[principal])
        asked = {"_pool": pool, "_principal": principal, "_now": now, "_limit": limit}
        rows = (await transaction.execute(_NEXT, asked)).all()
        more |= len(rows) == share
        in_flight[principal] += len(rows)
        chosen += [
            Announcement(
                run_id=row.id, pool=pool, fence=row.fence, announce_count=row.announce_count
            )
            for row in rows
        ]
    if chosen:
        until = after(now, _HOLD_SECONDS)
        await transaction.execute(_HOLD, {"ids": [a.run_id for a in chosen], "_now": until})
    return chosen, more and bool(chosen)


async def mark(store: Store, transaction: Transaction, confirmed: Sequence[Announcement]) -> None:
    """Say that the broker has them, where the row is still what was announced.

    A row that somebody is claiming at this moment is skipped: it needs no mark.
    """
    if same := await _unchanged(transaction, confirmed):
        now = await store.now(transaction)
        await transaction.execute(_MARK, {"ids": same, "_now": now})


async def release(transaction: Transaction, unconfirmed: Sequence[Announcement]) -> None:
    """Let go of what the broker did not confirm, so that it can be taken again at once."""
    if same := await _unchanged(transaction, unconfirmed):
        await transaction.execute(_RELEASE, {"ids": same})


async def _unchanged(transaction: Transaction, seen: Sequence[Announcement]) -> list[UUID]:
    known = {each.run_id: (each.fence, each.announce_count) for each in seen}
    rows = await transaction.execute(_UNMARKED, {"ids": list(known)})
    return [row.id for row in rows if known[row.id] == (row.fence, row.announce_count)]


async def unmark(transaction: Transaction, untaken: Sequence[Announcement]) -> None:
    """Make ready again what was marked with its hold, and found no room after all."""
    await transaction.execute(_FORGET, {"ids": [each.run_id for each in untaken]})


async def hand_back(
    store: Store, transaction: Transaction, run_id: RunId, seconds: float
) -> str | None:
    """Make an announcement that found no slot ready again after `seconds`; return its pool."""
    until = after(await store.now(transaction), seconds)
    handed = await transaction.execute(_HAND_BACK, {"_id": run_id, "_now": until})
    pool: str | None = handed.scalar_one_or_none()
    return pool


async def pools_with_ready(store: Store, transaction: Transaction) -> set[str]:
    """Name the pools in which something may be announced."""
    now = await store.now(transaction)
    return set((await transaction.execute(_POOLS_WITH_READY, {"_now": now})).scalars())


async def forget_lost(store: Store, transaction: Transaction) -> None:
    """Make ready what was announced long ago and is still queued, oldest first."""
    now = await store.now(transaction)
    ids = list((await transaction.execute(_OVERDUE, {"_now": now})).scalars())
    if ids:
        await transaction.execute(_FORGET, {"ids": ids})


async def forget_all(transaction: Transaction) -> None:
    """Make ready all that was announced: the broker that had it died with its process."""
    await transaction.execute(_FORGET_ALL)
