"""What an instant brings when it comes: places in the line, and ends without a worker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.run import Dispatch, RunError, RunStatus
from shared.ids import SessionId
from shared.storage.each import Each
from shared.storage.expiring import APPROVAL_EXPIRED, DEADLINE_PASSED, end_failed, is_late
from shared.storage.lines import Line, finish, lock_lines, promote
from shared.storage.placing import inputs_of, place, seat
from shared.storage.schema import runs
from shared.storage.store import Store, Transaction
from shared.storage.types import AnyRow, any_of

_Still: TypeAlias = Callable[[AnyRow, Instant], bool]

_A_ROUND = 500

_now = sa.bindparam("_now", type_=sa.BigInteger)


def _come(condition: str, instant: sa.Column[Any]) -> sa.Select[Any]:
    """Find the runs whose instant has come; the condition is its partial index's."""
    return (
        sa.select(runs.c.id, runs.c.session_id)
        .where(sa.text(condition), instant <= _now)
        .order_by(instant)
        .limit(_A_ROUND)
    )


_DUE = _come("dispatch = 'scheduled'", runs.c.available_at)
_LATE = _come("status = 'queued' AND deadline_at IS NOT NULL", runs.c.deadline_at)
_UNDECIDED = _come("status = 'waiting'", runs.c.available_at)
_ANYTHING = sa.select(sa.or_(_DUE.exists(), _LATE.exists()))
_LOCK = sa.select(runs).where(any_of(runs.c.id, "ids")).order_by(runs.c.id).with_for_update()
_RELEASE = Each(
    {"_id": runs.c.id, "seq": runs.c.seq},
    lambda value: (
        runs.update()
        .where(runs.c.id == value("_id"))
        .values(seq=value("seq"), dispatch=Dispatch.BLOCKED)
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Pools in which a run became ready, sessions that moved, and whether there is more."""

    pools: frozenset[str] = frozenset()
    sessions: tuple[SessionId, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Locked lines, and the runs that were found before the lock, if it is still so."""

    lines: dict[UUID, Line]
    rows: list[AnyRow]
    now: Instant
    more: bool

    def brought(self, pools: set[str]) -> Brought:
        moved = tuple(line.id for line in self.lines.values() if line.moved)
        return Brought(pools=frozenset(pools), sessions=moved, more=self.more)


async def anything(store: Store, reading: AsyncConnection) -> bool:
    """Tell whether a scheduled run is due or a queued one is late."""
    return bool((await reading.execute(_ANYTHING, {"_now": await store.now(reading)})).scalar())


async def release(store: Store, transaction: Transaction) -> Brought:
    """Give scheduled runs whose time has come their place in the line, and promote."""
    found = await _find(store, transaction, _DUE, _is_due)
    if found is None:
        return Brought()
    await _seat(transaction, found)
    pools = await finish(transaction, found.lines.values(), found.now)
    back = [line.id for line in found.lines.values() if not line.moved]
    return found.brought(pools | await promote(transaction, back, found.now))


async def _seat(transaction: Transaction, found: _Found) -> None:
    """Put what is new behind the line; what is back from a pause never left its place."""
    rows = sorted(found.rows, key=lambda row: (row.available_at, row.id))
    given = await inputs_of(transaction, [row.id for row in rows if row.seq is None])
    placed, seated = [], []
    for row in rows:
        line = found.lines[row.session_id]
        own = [seat(line, each, found.now) for each in given.get(row.id, ())]
        seq = line.arrive() if row.seq is None else row.seq
        placed.append({"_id": row.id, "seq": seq})
        seated += [each | {"run_id": row.id, "turn_seq": seq} for each in own]
    await _RELEASE.execute(transaction, placed)
    await place(transaction, seated)


async def end_late(store: Store, transaction: Transaction) -> Brought:
    """Fail the queued runs whose deadline has passed."""
    return await _end(store, transaction, _LATE, is_late, DEADLINE_PASSED)


async def end_undecided(store: Store, transaction: Transaction) -> Brought:
    """Fail the runs whose approval did not come in time."""
    return await _end(store, transaction, _UNDECIDED, _is_undecided, APPROVAL_EXPIRED)


async def _end(
    store: Store, transaction: Transaction, query: sa.Select[Any], still: _Still, error: RunError
) -> Brought:
    found = await _find(store, transaction, query, still)
    if found is None:
        return Brought()
    await end_failed(transaction, found.lines, found.rows, found.now, error)
    return found.brought(await finish(transaction, found.lines.values(), found.now))


async def _find(
    store: Store, transaction: Transaction, query: sa.Select[Any], still: _Still
) -> _Found | None:
    seen = (await transaction.execute(query, {"_now": await store.now(transaction)})).all()
    if not seen:
        return None
    lines = await lock_lines(transaction, [row.session_id for row in seen])
    now = await store.now(transaction)
    rows = await transaction.execute(_LOCK, {"ids": [row.id for row in seen]})
    found = [row for row in rows if still(row, now)]
    return _Found(lines=lines, rows=found, now=now, more=len(seen) == _A_ROUND)


def _is_due(row: AnyRow, now: Instant) -> bool:
    return bool(row.dispatch == Dispatch.SCHEDULED and row.available_at <= now)


def _is_undecided(row: AnyRow, now: Instant) -> bool:
    return bool(row.status == RunStatus.WAITING and row.available_at <= now)
