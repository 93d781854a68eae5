"""How many runs an agent may start a minute: counted at the claim, given back with the run.

The rate is exact under the lock of the agent's meter. Who comes too early is held until its
turn, one interval after the other, so that a crowd is not announced again all at once.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant, after
from shared.domain.crowd import Crowd, Waiter
from shared.domain.errors import InturnError
from shared.domain.execution import Settled, Settlement
from shared.domain.outcome import Deferred, GivenBack
from shared.domain.rates import Meter, agent_meter
from shared.domain.run import Dispatch, RunStatus
from shared.domain.waiting import CAUSE_RATE
from shared.ids import AgentId
from shared.storage.meters import Meters
from shared.storage.schema import agents, runs
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

# What is held longer is looked at sooner: those before it may have gone away.
_LONGEST_HOLD_SECONDS = 300.0
# Whose time has come and who is not claimed by then has lost its turn: its worker is busy.
_GRACE_SECONDS = 2.0
_LOOKED_AT = 1000
_LET_GO_AT_ONCE = 1000

_is_held = sa.and_(
    runs.c.dispatch == sa.literal_column(f"'{Dispatch.READY}'"),
    runs.c.announce_hold_until.is_not(None),
    runs.c.wait_cause == sa.literal_column(f"'{CAUSE_RATE}'"),
)
_HELD = (
    sa.select(
        runs.c.id,
        runs.c.agent_id,
        runs.c.principal_id,
        runs.c.priority,
        runs.c.ready_at,
        runs.c.announce_hold_until,
    )
    .where(
        runs.c.pool == sa.bindparam("_pool"), runs.c.agent_id == sa.bindparam("_agent"), _is_held
    )
    .order_by(runs.c.announce_hold_until)
    .limit(_LOOKED_AT)
)
_RATED = (
    sa.select(runs.c.id, runs.c.pool, runs.c.agent_id, agents.c.runs_per_minute)
    .join_from(runs, agents, agents.c.id == runs.c.agent_id)
    .where(any_of(runs.c.id, "ids"), agents.c.runs_per_minute.is_not(None))
)
_WAITING = (
    sa.select(runs.c.id)
    .where(runs.c.agent_id == sa.bindparam("_agent"), _is_held)
    .order_by(runs.c.announce_hold_until)
    .limit(sa.bindparam("_most", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_NEXT = _WAITING.where(runs.c.pool == sa.bindparam("_pool"))
_LET_GO = runs.update().where(any_of(runs.c.id, "ids")).values(announce_hold_until=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TooEarly:
    """Why a run does not start, and when it may."""

    until: Instant
    detail: str


class Starts:
    """The locked rates of a batch of claims, and who waits for them already."""

    def __init__(self, meters: Meters, of: dict[UUID, Meter], held: Sequence[AnyRow]) -> None:
        self._meters = meters
        self._of = of
        self._held = held
        self._crowds: dict[UUID, Crowd] = {}

    @classmethod
    async def lock(cls, transaction: Transaction, caps: Collection[AnyRow]) -> "Starts":
        """Lock the rates of these runs' agents; where none has one, do nothing."""
        rated = [row for row in caps if row.runs_per_minute is not None]
        if not rated:
            return cls(Meters({}), {}, ())
        of = {row.id: agent_meter(row.agent_id, row.runs_per_minute) for row in rated}
        meters = await Meters.lock(transaction, of.values())
        return cls(meters, of, await _held(transaction, rated))

    def obstacle(self, row: AnyRow, now: Instant) -> TooEarly | None:
        """Tell why this run may not start now, if so, and let it wait."""
        meter = self._of.get(row.id)
        if meter is None:
            return None
        crowd = self._crowd(row.agent_id, now)
        before = crowd.ahead_of(_waiter(row))
        until = self._meters.passes_at(meter, now, before)
        if until <= now:
            return None
        crowd.add(_waiter(row))
        return TooEarly(
            until=min(until, after(now, _LONGEST_HOLD_SECONDS)),
            detail=f"Its agent may start {meter.rate.count} runs a minute.",
        )

    def start(self, row: AnyRow, now: Instant) -> None:
        """Count a start."""
        if meter := self._of.get(row.id):
            self._crowd(row.agent_id, now).remove(_waiter(row))
            self._meters.charge((meter,), now)

    async def save(self, transaction: Transaction) -> None:
        """Write what was counted."""
        await self._meters.save(transaction)

    def _crowd(self, agent_id: UUID, now: Instant) -> Crowd:
        if agent_id not in self._crowds:
            lost = after(now, -_GRACE_SECONDS)
            self._crowds[agent_id] = Crowd(
                _waiter(row)
                for row in self._held
                if row.agent_id == agent_id and row.announce_hold_until > lost
            )
        return self._crowds[agent_id]


async def _held(transaction: Transaction, rated: Collection[AnyRow]) -> list[AnyRow]:
    """List who waits for these agents; one by one, for so their index has them in order."""
    held: list[AnyRow] = []
    for pool, agent_id in {(row.pool, row.agent_id) for row in rated}:
        held += await transaction.execute(_HELD, {"_pool": pool, "_agent": agent_id})
    return held


class Refunds:
    """Starts that may be given back: what is deferred or given back has not been done."""

    def __init__(self, meters: Meters, rated: dict[UUID, AnyRow]) -> None:
        self._meters = meters
        self._rated = rated

    @classmethod
    async def lock(cls, transaction: Transaction, settlements: Sequence[Settlement]) -> "Refunds":
        """Lock the rates of what may come back; where there is none, do nothing."""
        back = [s.run_id for s in settlements if isinstance(s.outcome, Deferred | GivenBack)]
        if not back:
            return cls(Meters({}), {})
        rated = {row.id: row for row in await transaction.execute(_RATED, {"ids": back})}
        return cls(await Meters.lock(transaction, map(_meter, rated.values())), rated)

    async def give(
        self, transaction: Transaction, settled: Iterable[Settled | InturnError]
    ) -> None:
        """Give back the starts of what is queued again, and let as many others go."""
        back = [
            self._rated[each.run_id]
            for each in settled
            if isinstance(each, Settled) and each.pool and each.status is RunStatus.QUEUED
            if each.run_id in self._rated
        ]
        for row in back:
            self._meters.refund(_meter(row))
        await self._meters.save(transaction)
        for (pool, agent_id), most in sorted(Counter((r.pool, r.agent_id) for r in back).items()):
            await _let_go(transaction, pool, agent_id, most)


async def release(transaction: Transaction, agent_id: AgentId) -> bool:
    """Let go who waits for an agent's rate, as it is another now; tell if there may be more."""
    most = {"_agent": agent_id, "_most": _LET_GO_AT_ONCE}
    return await _release(transaction, _WAITING, most) == _LET_GO_AT_ONCE


async def _let_go(transaction: Transaction, pool: str, agent_id: UUID, most: int) -> None:
    asked: dict[str, Any] = {"_pool": pool, "_agent": agent_id, "_most": most}
    await _release(transaction, _NEXT, asked)


async def _release(
    transaction: Transaction, chosen: sa.Select[tuple[UUID]], asked: dict[str, Any]
) -> int:
    if ids := list((await transaction.execute(chosen, asked)).scalars()):
        await transaction.execute(_LET_GO, {"ids": ids})
    return len(ids)


def _meter(row: AnyRow) -> Meter:
    return agent_meter(row.agent_id, row.runs_per_minute)


def _waiter(row: AnyRow) -> Waiter:
    return Waiter(
        run_id=row.id,
        principal_id=row.principal_id,
        priority=row.priority,
        ready_at=row.ready_at,
    )
