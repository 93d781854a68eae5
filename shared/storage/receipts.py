"""The receipt of a message: what was accepted, and where it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant
from shared.domain.message import Message, Role
from shared.domain.rates import Allowance
from shared.domain.requests import Accepted
from shared.domain.run import Dispatch, Run, RunStatus
from shared.domain.waiting import Ahead, Standstill, explain
from shared.ids import MessageId
from shared.storage.intake_rows import NOBODY, Cleared, Intake, Place
from shared.storage.lines import Line
from shared.storage.placing import inputs_of
from shared.storage.rows import to_standstill
from shared.storage.schema import messages, runs
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

_STORED = (
    sa.select(
        runs,
        messages.c.id.label("message_id"),
        messages.c.seq.label("message_seq"),
        messages.c.created_at,
    )
    .join_from(messages, runs, runs.c.id == messages.c.run_id)
    .where(any_of(messages.c.id, "ids"))
)


def receipt(
    intake: Intake,
    place: Place,
    line: Line,
    cleared: Cleared = NOBODY,
    allowances: tuple[Allowance, ...] = (),
    *,
    renewed: bool = False,
) -> Accepted:
    """Say what was accepted."""
    return Accepted(
        message=_message(intake, place),
        run=place.run,
        cancelled_runs=cleared.cancelled,
        told_runs=cleared.told,
        allowances=allowances,
        lifetime=line.lifetime,
        renewed=renewed,
    )


async def stored(
    transaction: Transaction, lines: Mapping[UUID, Line], ids: Sequence[UUID], now: Instant
) -> dict[UUID, Place]:
    """Find where those of the messages stand that an earlier try has written."""
    if not ids:
        return {}
    rows = (await transaction.execute(_STORED, {"ids": ids})).all()
    inputs = await inputs_of(transaction, {row.id for row in rows})
    return {
        row.message_id: Place(
            seq=row.message_seq,
            created_at=row.created_at,
            run=queued_run(row, lines[row.session_id], [each.id for each in inputs[row.id]], now),
        )
        for row in rows
    }


def queued_run(
    row: AnyRow,
    line: Line,
    message_ids: Sequence[MessageId],
    now: Instant,
    ahead: Ahead | None = None,
) -> Run:
    """Read a run that nobody has claimed yet, or that a receipt shows as it was accepted."""
    dispatch = row.dispatch or Dispatch.READY
    return Run(
        **_of(line),
        id=row.id,
        seq=row.seq,
        message_ids=tuple(message_ids),
        max_attempts=row.max_attempts,
        correlation_id=row.correlation_id,
        retry_of=row.retry_of,
        priority=row.priority,
        origin=row.origin,
        waiting_for=explain(
            replace(to_standstill(row), status=RunStatus.QUEUED, dispatch=dispatch),
            now,
            busy_with=line.active_run_id,
            ahead=ahead if dispatch == Dispatch.BLOCKED else None,
        ),
        stored_at=row.stored_at,
        announced_at=row.announced_at,
    )


def append(intake: Intake, line: Line, due: Instant | None, now: Instant) -> Place:
    """Put a message and a run of its own at the tail, or beside the line until it is due."""
    if due is not None:
        line.schedule(intake.run_id, now)
        run = _new_run(intake, line, None, now, Dispatch.SCHEDULED)
        return Place(seq=None, created_at=now, run=run)
    dispatch = Dispatch.BLOCKED if line.busy else Dispatch.READY
    seq, created_at = line.add_message(now)
    line.shift(intake.run_id, None, RunStatus.QUEUED)
    run = _new_run(intake, line, line.next_seq(), now, dispatch)
    return Place(seq=seq, created_at=created_at, run=run)


def _new_run(intake: Intake, line: Line, seq: int | None, now: Instant, dispatch: Dispatch) -> Run:
    new = intake.new
    return Run(
        **_of(line),
        id=intake.run_id,
        seq=seq,
        message_ids=(intake.message_id,),
        max_attempts=line.max_attempts,
        correlation_id=new.correlation_id,
        priority=new.priority,
        origin=new.origin,
        options=new.options,
        waiting_for=explain(
            Standstill(
                status=RunStatus.QUEUED,
                dispatch=dispatch,
                until=new.not_before if seq is None else None,
            ),
            now,
            busy_with=line.active_run_id,
            ahead=Ahead(runs=line.length - 1) if dispatch is Dispatch.BLOCKED else None,
        ),
        stored_at=now,
    )


def _of(line: Line) -> dict[str, Any]:
    return {
        "session_id": line.id,
        "agent_id": line.agent_id,
        "agent": line.agent,
        "pool": line.pool,
        "status": RunStatus.QUEUED,
    }


def _message(intake: Intake, place: Place) -> Message:
    new = intake.new
    return Message(
        id=intake.message_id,
        session_id=new.session_id,
        seq=place.seq,
        run_id=place.run.id,
        role=Role.USER,
        content=new.content,
        author_id=new.author_id,
        metadata=new.metadata,
        correlation_id=new.correlation_id,
        created_at=place.created_at,
        attachments=new.attachments,
    )
