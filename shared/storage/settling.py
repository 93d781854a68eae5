"""Settle: every exit from `running`, fenced, in one transaction with what it leaves behind.

Answer, tools, retrieved context, usage, last events, status and promotion commit together or
not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import SECOND, Instant
from shared.domain.errors import InturnError
from shared.domain.event import NewEvent, closing, opening
from shared.domain.execution import Settled, Settlement
from shared.domain.exits import Exit, Standing, leave, may_end_in
from shared.domain.run import Dispatch, RunEvent, RunStatus
from shared.ids import MessageId, new_id
from shared.storage import events
from shared.storage.answers import SPEAK, said
from shared.storage.each import Each, insert_each
from shared.storage.lines import Line, finish, lock_lines
from shared.storage.notices import notify_of_runs
from shared.storage.rows import from_approvals, from_error
from shared.storage.schema import attempts, run_details, runs
from shared.storage.store import Store, Transaction
from shared.storage.types import AnyRow, any_of
from shared.storage.upserts import insert_into

_RUNS = sa.select(runs).where(any_of(runs.c.id, "ids")).order_by(runs.c.id).with_for_update()
_ATTEMPTS = sa.select(attempts).where(any_of(attempts.c.run_id, "ids"))

_WRITTEN = (
    "status", "dispatch", "fence", "attempt", "losses", "available_at", "wait_cause",
    "wait_detail", "wait_since", "first_token_at", "settled_at", "output_message_id",
    "event_count",
)  # fmt: skip
_EXIT = Each(
    {"_id": runs.c.id, "_seen": runs.c.fence} | {name: runs.c[name] for name in _WRITTEN},
    lambda value: (
        runs.update()
        .where(
            runs.c.id == value("_id"),
            runs.c.fence == value("_seen"),
            runs.c.status == RunStatus.RUNNING,
        )
        .values({name: value(name) for name in _WRITTEN} | {"worker_id": None})
    ),
)
_RECORD = insert_each(
    attempts, "run_id", "fence", "number", "worker_id", "claimed_at", "ended_at", "outcome",
    "error",
)  # fmt: skip

_DETAILS = ("error", "usage", "reasoning", "approvals", "retrieved_context")


@dataclass(slots=True, frozen=True)
class _Leaving:
    settlement: Settlement
    row: AnyRow
    exit: Exit
    output_id: MessageId | None
    events: list[NewEvent]  # that the run does not have yet


async def settle(
    store: Store,
    transaction: Transaction,
    settlements: Sequence[Settlement],
    *,
    max_wait_seconds: float,
) -> list[Settled | InturnError]:
    """Write each exit whose fence is still valid; a stale one changes nothing."""
    lines = await lock_lines(transaction, [s.session_id for s in settlements])
    ids = {settlement.run_id for settlement in settlements}
    rows = {row.id: row for row in await transaction.execute(_RUNS, {"ids": ids})}
    now = await store.now(transaction)
    silent = {s.run_id for s in settlements if s.said is None}
    opened = await events.opened(transaction, silent)
    leaving: dict[UUID, _Leaving] = {}
    for settlement in settlements:
        row = rows.get(settlement.run_id)
        if row is not None and settlement.run_id not in leaving and _holds(settlement, row):
            leaving[row.id] = _leave(settlement, row, now, max_wait_seconds, opened)
    repeated = await _repeated(transaction, settlements, leaving)
    await _write(transaction, list(leaving.values()), lines, now)
    exits = [(lines[each.row.session_id], each.row, each.exit.status) for each in leaving.values()]
    notified = await notify_of_runs(transaction, exits, now)
    await finish(transaction, lines.values(), now)
    return [
        _answer(s, leaving.get(s.run_id), rows.get(s.run_id), repeated, notified, now)
        for s in settlements
    ]


def _holds(settlement: Settlement, row: AnyRow) -> bool:
    return bool(row.status == RunStatus.RUNNING and row.fence == settlement.fence)


def _leave(
    settlement: Settlement,
    row: AnyRow,
    now: Instant,
    max_wait_seconds: float,
    opened: set[tuple[UUID, int]],
) -> _Leaving:
    standing = Standing(
        attempt=row.attempt,
        losses=row.losses,
        cancel_requested=row.cancel_requested_at is not None,
        wait_since=row.wait_since,
    )
    exit_ = leave(standing, settlement.outcome, now=now, max_wait_seconds=max_wait_seconds)
    speaks = exit_.event is RunEvent.SUCCEED or bool(exit_.reply and exit_.reply.content)
    output_id = (settlement.output_id or MessageId(new_id())) if speaks else None
    said = [
        *_said(settlement, row, now, opened),
        *closing(exit_, attempt=row.attempt, losses=row.losses, output_id=output_id, at=now),
    ]
    return _Leaving(settlement, row, exit_, output_id, said)


def _said(
    settlement: Settlement, row: AnyRow, now: Instant, opened: set[tuple[UUID, int]]
) -> Sequence[NewEvent]:
    """Return what the attempt has not written yet; nobody knows of a worker that was lost."""
    if settlement.said is not None:
        return events.unwritten(row.event_count, settlement.said)
    if (row.id, row.fence) in opened:
        return ()
    return opening(row.attempt, row.fence, row.claimed_at or now, first=not row.event_count)


async def _repeated(
    transaction: Transaction, settlements: Sequence[Settlement], leaving: dict[UUID, _Leaving]
) -> dict[tuple[UUID, int], RunEvent]:
    """Find how attempts ended before: this exit's own commit, its answer lost, or a take-away."""
    stale = [s.run_id for s in settlements if s.run_id not in leaving]
    if not stale:
        return {}
    rows = await transaction.execute(_ATTEMPTS, {"ids": stale})
    return {(row.run_id, row.fence): RunEvent(row.outcome) for row in rows}


def _answer(
    settlement: Settlement,
    left: _Leaving | None,
    row: AnyRow | None,
    repeated: dict[tuple[UUID, int], RunEvent],
    notified: set[UUID],
    now: Instant,
) -> Settled:
    if left is not None and left.settlement is settlement:
        return Settled(
            run_id=settlement.run_id,
            accepted=True,
            status=left.exit.status,
            pool=left.row.pool,
            seconds=(now - left.row.claimed_at) / SECOND,
            notified=left.row.id in notified,
        )
    ended = repeated.get((settlement.run_id, settlement.fence))
    known = ended is not None and may_end_in(settlement.outcome, ended)
    status = RunStatus(row.status) if row is not None else None
    return Settled(run_id=settlement.run_id, accepted=known, status=status)


async def _write(
    transaction: Transaction, leaving: Sequence[_Leaving], lines: dict[UUID, Line], now: Instant
) -> None:
    if not leaving:
        return
    spoken = [
        row
        for left in leaving
        for row in said(left.exit, left.row, left.output_id, lines[left.row.session_id], now)
    ]
    await SPEAK.execute(transaction, spoken)
    said_events = [
        row
        for left in leaving
        for row in events.numbered(left.row.id, left.row.event_count, left.events)
    ]
    await events.WRITE.execute(transaction, said_events)
    if details := [row for left in leaving if (row := _details(left))]:
        insert = insert_into(transaction, run_details)
        kept = {
            name: sa.func.coalesce(insert.excluded[name], run_details.c[name]) for name in _DETAILS
        }
        upsert = insert.on_conflict_do_update(index_elements=["run_id"], set_=kept)
        await transaction.execute(upsert, details)
    await _RECORD.execute(transaction, [_attempt(left, now) for left in leaving])
    await _EXIT.execute(transaction, [_exit(left, now) for left in leaving])
    for left in leaving:
        error = from_error(left.exit.error) if left.exit.error else None
        line = lines[left.row.session_id]
        line.shift(left.row.id, RunStatus.RUNNING, left.exit.status, error)


def _details(left: _Leaving) -> dict[str, Any] | None:
    reply, exit_ = left.exit.reply, left.exit
    values = {
        "error": from_error(exit_.error) if exit_.error else None,
        "usage": reply.usage if reply else None,
        "reasoning": reply.reasoning if reply else None,
        "approvals": from_approvals(exit_.approvals) or None,
        "retrieved_context": list(reply.retrieved_context) or None if reply else None,
    }
    return {"run_id": left.row.id, **values} if any(values.values()) else None


def _attempt(left: _Leaving, now: Instant) -> dict[str, Any]:
    error = left.exit.attempt_error
    return {
        "run_id": left.row.id,
        "fence": left.row.fence,
        "number": left.row.attempt,
        "worker_id": left.row.worker_id,
        "claimed_at": left.row.claimed_at,
        "ended_at": now,
        "outcome": left.exit.event,
        "error": from_error(error) if error else None,
    }


def _exit(left: _Leaving, now: Instant) -> dict[str, Any]:
    exit_, row = left.exit, left.row
    requeued = exit_.status is RunStatus.QUEUED
    over = exit_.status not in {RunStatus.QUEUED, RunStatus.WAITING}
    first = row.first_token_at or left.settlement.first_token_at
    return {
        "_id": row.id,
        "_seen": row.fence,
        "status": exit_.status,
        "dispatch": Dispatch.BLOCKED if requeued else None,
        "fence": row.fence + (not over),
        "attempt": exit_.attempt,
        "losses": exit_.losses,
        "available_at": exit_.available_at,
        "wait_cause": exit_.wait_cause,
        "wait_detail": exit_.wait_detail,
        "wait_since": exit_.wait_since,
        "first_token_at": first or (now if left.output_id else None),  # unless streamed
        "settled_at": now if over else None,
        "output_message_id": left.output_id if over else None,
        "event_count": row.event_count + len(left.events),
    }
