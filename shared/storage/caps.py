"""Caps: how many runs of a pool, an agent or a principal may run at once.

Counted under the cap row's lock, never incremented and decremented, so they cannot leak.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.domain.errors import InturnError
from shared.domain.execution import Settled
from shared.domain.run import SUSPECT_LOSSES, Dispatch, RunStatus
from shared.domain.waiting import CAUSE_CAP
from shared.storage.schema import agents, pools, principals, runs
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of
from shared.storage.upserts import insert_into

# What never changes of a run, with the caps that apply to it.
_CAPS = (
    sa.select(
        runs.c.id,
        runs.c.session_id,
        runs.c.pool,
        runs.c.agent_id,
        runs.c.principal_id,
        pools.c.paused_at,
        pools.c.max_running.label("pool_max"),
        agents.c.max_running.label("agent_max"),
        agents.c.runs_per_minute,
        principals.c.max_running.label("principal_max"),
    )
    .join_from(runs, agents, agents.c.id == runs.c.agent_id)
    .outerjoin(pools, pools.c.name == runs.c.pool)
    .outerjoin(principals, principals.c.id == runs.c.principal_id)
    .where(any_of(runs.c.id, "ids"))
)

Cap = tuple[str, object]  # kind and key: ("agent", its id)

# kind: the cap row that is locked, the column of the runs it counts
_KINDS = {
    "pool": (pools.c.name, runs.c.pool),
    "agent": (agents.c.id, runs.c.agent_id),
    "principal": (principals.c.id, runs.c.principal_id),
}


async def read_caps(transaction: Transaction, run_ids: Collection[UUID]) -> dict[UUID, AnyRow]:
    """Read what never changes of each run, and the caps that apply to it."""
    return {row.id: row for row in await transaction.execute(_CAPS, {"ids": run_ids})}


def limits(caps: AnyRow) -> list[tuple[Cap, int]]:
    """List the caps that a run meets, each with how many may run."""
    each = (
        (("pool", caps.pool), caps.pool_max),
        (("agent", caps.agent_id), caps.agent_max),
        (("principal", caps.principal_id), caps.principal_max),
    )
    return [(cap, most) for cap, most in each if most is not None]


async def lock_caps(transaction: Transaction, rows: Collection[AnyRow]) -> None:
    """Lock the caps that apply: pools, agents, principals, ascending within each."""
    for kind, (key, _) in _KINDS.items():
        if keys := _capped(rows, kind):
            lock = sa.select(key).where(any_of(key, "ids")).order_by(key)
            await transaction.execute(lock.with_for_update(key_share=True), {"ids": keys})


async def count_running(transaction: Transaction, rows: Collection[AnyRow]) -> Counter[Cap]:
    """Count what runs under each cap that applies; call it after `lock_caps`."""
    running: Counter[Cap] = Counter()
    for kind, (_, counted) in _KINDS.items():
        if keys := _capped(rows, kind):
            count = (
                sa.select(counted, sa.func.count())
                .where(any_of(counted, "ids"), runs.c.status == RunStatus.RUNNING)
                .group_by(counted)
            )
            for key, total in await transaction.execute(count, {"ids": keys}):
                running[kind, key] = total
    return running


async def cap_principal(transaction: Transaction, principal_id: UUID, most: int) -> None:
    """Say how many runs of a principal may run at once, from now on."""
    insert = insert_into(transaction, principals).values(id=principal_id, max_running=most)
    kept = {"max_running": insert.excluded.max_running}
    await transaction.execute(insert.on_conflict_do_update(index_elements=["id"], set_=kept))


def _capped(rows: Iterable[AnyRow], kind: str) -> list[Any]:
    return sorted({key for row in rows for (kind_, key), _ in limits(row) if kind_ == kind})


async def count_suspects(transaction: Transaction, rows: Iterable[AnyRow]) -> Counter[UUID]:
    """Count the suspects that each worker holds, if any of `rows` is one."""
    if not any(row.losses >= SUSPECT_LOSSES for row in rows):
        return Counter()
    count = (
        sa.select(runs.c.worker_id, sa.func.count())
        .where(runs.c.status == RunStatus.RUNNING, runs.c.losses >= SUSPECT_LOSSES)
        .group_by(runs.c.worker_id)
    )
    return Counter(dict((await transaction.execute(count)).all()))


_HELD_BACK = (
    sa.select(runs.c.id)
    .where(
        runs.c.pool == sa.bindparam("_pool"),
        runs.c.dispatch == sa.literal_column(f"'{Dispatch.READY}'"),
        runs.c.announce_hold_until.is_not(None),
        runs.c.wait_cause == sa.literal_column(f"'{CAUSE_CAP}'"),
    )
    .order_by(runs.c.priority.desc(), runs.c.ready_at)
    .limit(sa.bindparam("_most", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_LET_GO = runs.update().where(any_of(runs.c.id, "ids")).values(announce_hold_until=None)


async def hand_on(transaction: Transaction, settled: Iterable[Settled | InturnError]) -> None:
    """Let as many go as places may have come free, of those that a cap held back.

    Else a place would stay empty until a hold ends: a cap of one would mean one a second.
    """
    left = Counter(
        each.pool for each in settled if isinstance(each, Settled) and each.accepted and each.pool
    )
    for pool, most in sorted(left.items()):
        held = await transaction.execute(_HELD_BACK, {"_pool": pool, "_most": most})
        if ids := list(held.scalars()):
            await transaction.execute(_LET_GO, {"ids": ids})
