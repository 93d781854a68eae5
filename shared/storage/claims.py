"""The claim: the row is taken, never the announcement, and everything is checked again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant, after
from shared.domain.errors import InturnError
from shared.domain.execution import Claim, Refusal
from shared.domain.run import SUSPECT_LOSSES, Dispatch, RunStatus
from shared.domain.waiting import CAUSE_CAP, CAUSE_PAUSED, CAUSE_RATE
from shared.ids import RunId, SessionId, WorkerId
from shared.storage.caps import (
    Cap,
    count_running,
    count_suspects,
    limits,
    lock_caps,
    read_caps,
)
from shared.storage.each import Each
from shared.storage.expiring import DEADLINE_PASSED, end_failed, is_late
from shared.storage.lines import Line, finish, lock_lines
from shared.storage.schema import runs, workers
from shared.storage.starts import Starts
from shared.storage.store import Store, Transaction
from shared.storage.types import AnyRow, any_of

_HELD_BACK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """A worker that asks for a run it was told of."""

    worker_id: WorkerId
    run_id: RunId


@dataclass(frozen=True, slots=True)
class TooLate:
    """The run's deadline had passed: it has ended, and the next of its line may be ready."""

    session_id: SessionId
    pool: str


_WORKERS = (
    sa.select(workers.c.id)
    .where(any_of(workers.c.id, "ids"), workers.c.lost_at.is_(None))
    .order_by(workers.c.id)
    .with_for_update(read=True, key_share=True)
)

_older = runs.alias("older")
_RUNS = (
    sa.select(
        runs,
        sa.select(sa.func.min(_older.c.seq))
        .where(_older.c.session_id == runs.c.session_id, _older.c.settled_at.is_(None))
        .scalar_subquery()
        .label("head_seq"),
    )
    .where(any_of(runs.c.id, "ids"))
    .order_by(runs.c.id)
    .with_for_update(of=runs)
)

_CLAIM = Each(
    {"_id": runs.c.id, "_worker": runs.c.worker_id, "_now": runs.c.claimed_at},
    lambda value: (
        runs.update()
        .where(runs.c.id == value("_id"))
        .values(
            status=RunStatus.RUNNING,
            dispatch=None,
            fence=runs.c.fence + 1,
            attempt=runs.c.attempt + 1,
            worker_id=value("_worker"),
            claimed_at=value("_now"),
            announced_at=sa.func.coalesce(runs.c.announced_at, value("_now")),
            available_at=None,
            wait_cause=None,
            wait_detail=None,
        )
    ),
)

# Its announcement came and led to nothing. The new fence keeps a relay from marking it after
# this; and as it did come, patience with the broker begins again.
USED_UP: dict[str, Any] = {
    "dispatch": Dispatch.READY,
    "fence": runs.c.fence + 1,
    "announce_count": 0,
}
_HOLD_BACK = (
    runs.update()
    .where(runs.c.id == sa.bindparam("_id"), runs.c.status == RunStatus.QUEUED)
    .values(
        USED_UP
        | {
            "announce_hold_until": sa.bindparam("_until"),
            "wait_cause": sa.bindparam("_cause"),
            "wait_detail": sa.bindparam("_detail"),
        }
    )
)


async def claim(
    store: Store, transaction: Transaction, requests: Sequence[Request]
) -> list[Claim | Refusal | TooLate | InturnError]:
    """Start an attempt of each run that may start now; the rest keep their row's reason.

    A run that this worker already holds is handed over again: its first answer was lost.
    One whose deadline has passed ends here.
    """
    alive = await transaction.execute(_WORKERS, {"ids": {r.worker_id for r in requests}})
    living = set(alive.scalars())
    ids = {request.run_id for request in requests}
    caps = await read_caps(transaction, ids)
    await lock_caps(transaction, caps.values())
    starts = await Starts.lock(transaction, caps.values())
    lines = await lock_lines(transaction, [row.session_id for row in caps.values()])
    rows = {row.id: row for row in await transaction.execute(_RUNS, {"ids": ids})}
    round_ = _Round(
        now=await store.now(transaction),
        caps=caps,
        running=await count_running(transaction, caps.values()),
        suspects=await count_suspects(transaction, rows.values()),
        starts=starts,
    )
    results: list[Claim | Refusal | TooLate | InturnError] = [
        round_.decide(request, rows.get(request.run_id), lines)
        if request.worker_id in living
        else Refusal.WORKER_LOST
        for request in requests
    ]
    await round_.write(transaction, lines)
    await finish(transaction, lines.values(), round_.now)
    return results


class _Round:
    """One batch of claims: what is counted, what is granted, what is held back."""

    def __init__(
        self,
        *,
        now: Instant,
        caps: dict[UUID, AnyRow],
        running: Counter[Cap],
        suspects: Counter[UUID],
        starts: Starts,
    ) -> None:
        self.now = now
        self.caps = caps
        self.running = running
        self.suspects = suspects
        self.starts = starts
        self.granted: list[dict[str, Any]] = []
        self.held_back: list[dict[str, Any]] = []
        self.late: dict[UUID, AnyRow] = {}

    def decide(
        self, request: Request, row: AnyRow | None, lines: dict[UUID, Line]
    ) -> Claim | Refusal | TooLate:
        granted = {grant["_id"] for grant in self.granted}
        if row is None or request.run_id in granted or request.run_id in self.late:
            return Refusal.NOT_CLAIMABLE
        if row.status == RunStatus.RUNNING and row.worker_id == request.worker_id:
            return _to_claim(row, row.fence, row.attempt, row.claimed_at)
        if not _claimable(row):
            return Refusal.NOT_CLAIMABLE
        if is_late(row, self.now):
            self.late[row.id] = row
            return TooLate(row.session_id, row.pool)
        if cause := self._obstacle(request, row):
            self._hold_back(row, cause, after(self.now, _HELD_BACK_SECONDS), None)
            return Refusal.NOT_NOW
        if early := self.starts.obstacle(row, self.now):
            self._hold_back(row, CAUSE_RATE, early.until, early.detail)
            return Refusal.NOT_NOW
        return self._grant(request, row, lines[row.session_id])

    def _obstacle(self, request: Request, row: AnyRow) -> str | None:
        caps = self.caps[row.id]
        if caps.paused_at is not None:
            return CAUSE_PAUSED
        if any(self.running[key] >= most for key, most in limits(caps)):
            return CAUSE_CAP
        if row.losses >= SUSPECT_LOSSES and self.suspects[request.worker_id]:
            return CAUSE_CAP
        return None

    def _hold_back(self, row: AnyRow, cause: str, until: Instant, detail: str | None) -> None:
        self.held_back.append({"_id": row.id, "_until": until, "_cause": cause, "_detail": detail})

    def _grant(self, request: Request, row: AnyRow, line: Line) -> Claim:
        self.running.update(key for key, _ in limits(self.caps[row.id]))
        if row.losses >= SUSPECT_LOSSES:
            self.suspects[request.worker_id] += 1
        self.starts.start(row, self.now)
        self.granted.append({"_id": row.id, "_worker": request.worker_id, "_now": self.now})
        line.shift(row.id, RunStatus.QUEUED, RunStatus.RUNNING)
        return _to_claim(row, row.fence + 1, row.attempt + 1, self.now)

    async def write(self, transaction: Transaction, lines: dict[UUID, Line]) -> None:
        await self.starts.save(transaction)
        if self.granted:
            await _CLAIM.execute(transaction, self.granted)
        if self.held_back:
            await transaction.execute(_HOLD_BACK, self.held_back)
        await end_failed(transaction, lines, list(self.late.values()), self.now, DEADLINE_PASSED)


def _claimable(row: AnyRow) -> bool:
    return (
        row.status == RunStatus.QUEUED
        and row.dispatch in {Dispatch.READY, Dispatch.ANNOUNCED}
        and row.seq == row.head_seq
        and row.cancel_requested_at is None
    )


def _to_claim(row: AnyRow, fence: int, attempt: int, claimed_at: Instant) -> Claim:
    return Claim(
        run_id=row.id,
        session_id=row.session_id,
        agent_id=row.agent_id,
        pool=row.pool,
        seq=row.seq,
        fence=fence,
        attempt=attempt,
        max_attempts=row.max_attempts,
        losses=row.losses,
        correlation_id=row.correlation_id,
        stored_at=row.stored_at,
        claimed_at=claimed_at,
        deadline_at=row.deadline_at,
        event_count=row.event_count,
    )
