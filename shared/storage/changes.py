"""What callers change about a run: cancel, retry, resume. Each locks the line first."""

from dataclasses import replace

import sqlalchemy as sa

from shared.domain.errors import (
    NotFound,
    NotRetryable,
    NotWaiting,
    SessionEnded,
    SessionQueueFull,
    ValidationFailed,
)
from shared.domain.principal import Principal
from shared.domain.requests import Decision
from shared.domain.run import Approval, Dispatch, RunEvent, RunStatus, sources
from shared.ids import RunId, SessionId
from shared.storage.cancelling import end_cancelled
from shared.storage.lines import Line, finish, lock_lines
from shared.storage.placing import inputs_of, place, seat
from shared.storage.rows import from_approvals, to_approvals
from shared.storage.schema import run_details, run_inputs, runs, sessions
from shared.storage.store import Store, Transaction
from shared.storage.types import AnyRow

_SESSION_OF = sa.select(runs.c.session_id).where(runs.c.id == sa.bindparam("_id"))
_LOCK_RUN = sa.select(runs).where(runs.c.id == sa.bindparam("_id")).with_for_update()


async def _lock_run(
    transaction: Transaction, principal: Principal, run_id: RunId
) -> tuple[Line, AnyRow]:
    session_id = (await transaction.execute(_SESSION_OF, {"_id": run_id})).scalar_one_or_none()
    lines = await lock_lines(transaction, [session_id] if session_id else [])
    line = lines.get(session_id) if session_id else None
    if line is None or line.deleted_at or not principal.sees(line.tenant, line.user_id):
        raise NotFound("run")
    return line, (await transaction.execute(_LOCK_RUN, {"_id": run_id})).one()


async def cancel(
    store: Store,
    transaction: Transaction,
    principal: Principal,
    run_id: RunId,
    *,
    reason: str | None,
) -> bool:
    """End a queued or waiting run, ask a running one to stop; tell whether one has to be told.

    A terminal run is left as it is, and so is an earlier cancel.
    """
    line, row = await _lock_run(transaction, principal, run_id)
    if row.status not in sources(RunEvent.CANCEL) or row.cancel_requested_at is not None:
        return False
    now = await store.now(transaction)
    await end_cancelled(transaction, line, [row], now, reason=reason, by=principal.user_id)
    await finish(transaction, [line], now)
    return bool(row.status == RunStatus.RUNNING)


async def retry(
    store: Store,
    transaction: Transaction,
    principal: Principal,
    run_id: RunId,
    new_id: RunId,
    *,
    correlation_id: str | None,
    max_queued: int,
) -> None:
    """Queue a new run for the same messages at the line's tail; the messages move with it.

    It is asked for the same, but for a deadline that has passed; without a correlation id it
    keeps its own, and counts for whom it counted before.
    """
    line, row = await _lock_run(transaction, principal, run_id)
    if row.status not in {RunStatus.FAILED, RunStatus.CANCELLED}:
        raise NotRetryable(f"This run is {row.status}; only a failed or cancelled one is retried.")
    if line.ended_at is not None:
        raise SessionEnded("This session has ended; create a new one.")
    if line.queue_depth >= max_queued:
        detail = f"This session already has {line.queue_depth} queued runs; wait for some to end."
        raise SessionQueueFull(detail, retry_after=5)
    now = await store.now(transaction)
    line.shift(new_id, None, RunStatus.QUEUED)
    inputs = (await inputs_of(transaction, [run_id]))[run_id]
    seated = [seat(line, each, now) for each in inputs]
    kept = ("session_id", "agent_id", "pool", "priority", "origin", "max_attempts")
    values = {name: getattr(row, name) for name in kept} | {
        "id": new_id,
        "seq": line.next_seq(),
        "status": RunStatus.QUEUED,
        "dispatch": Dispatch.BLOCKED,
        "principal_id": principal.id if correlation_id else row.principal_id,
        "correlation_id": correlation_id or row.correlation_id,
        "retry_of": run_id,
        "deadline_at": row.deadline_at if row.deadline_at and row.deadline_at > now else None,
        "stored_at": now,
    }
    await transaction.execute(runs.insert(), values)
    await transaction.execute(
        run_inputs.insert(), [{"run_id": new_id, "message_id": each.id} for each in inputs]
    )
    turn = {"run_id": new_id, "turn_seq": values["seq"]}
    await place(transaction, [each | turn for each in seated])
    await _copy_options(transaction, run_id, new_id)
    await finish(transaction, [line], now)


async def _copy_options(transaction: Transaction, run_id: RunId, new_id: RunId) -> None:
    asked = [run_details.c[name] for name in ("inputs", "options", "callback_url")]
    stored = sa.select(*asked).where(run_details.c.run_id == run_id)
    row = (await transaction.execute(stored)).one_or_none()
    if row is not None and any(row):
        await transaction.execute(run_details.insert(), {"run_id": new_id, **row._mapping})  # noqa: SLF001  (public in SQLAlchemy)


async def resume(
    store: Store,
    transaction: Transaction,
    principal: Principal,
    run_id: RunId,
    decisions: tuple[Decision, ...],
) -> None:
    """Record decisions; once none is pending, the run goes back to the head of its line."""
    line, row = await _lock_run(transaction, principal, run_id)
    if row.status not in sources(RunEvent.RESUME):
        raise NotWaiting(f"This run is {row.status}; only a waiting one is resumed.")
    stored = sa.select(run_details.c.approvals).where(run_details.c.run_id == run_id)
    approvals = to_approvals((await transaction.execute(stored)).scalar_one_or_none())
    decided = _decide(approvals, decisions)
    details = run_details.update().where(run_details.c.run_id == run_id)
    await transaction.execute(details.values(approvals=from_approvals(decided)))
    now = await store.now(transaction)
    if all(approval.approved is not None for approval in decided):
        line.shift(run_id, RunStatus.WAITING, RunStatus.QUEUED)
        again = runs.update().where(runs.c.id == run_id)
        await transaction.execute(
            again.values(
                status=RunStatus.QUEUED,
                dispatch=Dispatch.BLOCKED,
                available_at=None,
                wait_cause=None,
                wait_detail=None,
            )
        )
    await finish(transaction, [line], now)


def _decide(
    approvals: tuple[Approval, ...], decisions: tuple[Decision, ...]
) -> tuple[Approval, ...]:
    pending = {each.call_id: each for each in approvals if each.approved is None}
    for index, decision in enumerate(decisions):
        if decision.call_id not in pending:
            raise ValidationFailed.of(
                ("body", "approvals", index, "call_id"),
                "no approval of this run is pending under this call_id",
            )
    said = {decision.call_id: decision for decision in decisions}
    return tuple(
        replace(each, approved=word.approved, reason=word.reason)
        if (word := said.get(each.call_id))
        else each
        for each in approvals
    )


async def delete_session(
    store: Store, transaction: Transaction, principal: Principal, session_id: SessionId
) -> list[RunId]:
    """Put the tombstone, cancel what is unfinished; return runs whose worker has to be told."""
    lines = await lock_lines(transaction, [session_id])
    line = lines.get(session_id)
    if line is None or line.deleted_at or not principal.sees(line.tenant, line.user_id):
        raise NotFound("session")
    unfinished = (
        sa.select(runs)
        .where(runs.c.session_id == session_id, runs.c.settled_at.is_(None))
        .order_by(runs.c.id)
        .with_for_update()
    )
    rows = (await transaction.execute(unfinished)).all()
    now = await store.now(transaction)
    await end_cancelled(transaction, line, rows, now, reason="session deleted", by=None)
    line.moved = True
    await finish(transaction, [line], now)
    tombstone = sessions.update().where(sessions.c.id == session_id)
    await transaction.execute(tombstone.values(deleted_at=now))
    return [row.id for row in rows if row.status == RunStatus.RUNNING]
