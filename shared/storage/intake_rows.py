"""What intake writes: a message, its run, what the run answers; and the receipt of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant
from shared.domain.idempotency import Idempotency
from shared.domain.message import Message, Role
from shared.domain.principal import Principal
from shared.domain.rates import Allowance, Meter
from shared.domain.requests import Accepted, NewMessage
from shared.domain.run import Dispatch, Run, RunStatus
from shared.domain.waiting import explain
from shared.ids import MessageId, RunId
from shared.storage.each import insert_each
from shared.storage.lines import Line
from shared.storage.schema import messages, run_details, run_inputs, runs
from shared.storage.store import Transaction
from shared.storage.types import any_of


@dataclass(slots=True, kw_only=True)
class Intake:
    """A message at the door. Its ids exist before the first try; `tried` marks a replay."""

    principal: Principal
    new: NewMessage
    message_id: MessageId
    run_id: RunId
    max_queued: int
    meters: tuple[Meter, ...] = ()
    idempotency: Idempotency[Accepted] | None = None
    tried: bool = False


@dataclass(slots=True, frozen=True, kw_only=True)
class Place:
    """Where a message and its run stand in their session."""

    message_seq: int
    created_at: Instant
    run_seq: int
    stored_at: Instant
    busy_with: RunId | None
    busy: bool


@dataclass(slots=True, frozen=True, kw_only=True)
class Fresh:
    """What is to be inserted."""

    intake: Intake
    line: Line
    place: Place


@dataclass(slots=True, frozen=True, kw_only=True)
class Cleared:
    """The runs that made room for a message; `told` are still with a worker."""

    cancelled: tuple[RunId, ...] = ()
    told: tuple[RunId, ...] = ()


NOBODY = Cleared()

_STORED = (
    sa.select(
        runs.c.id,
        runs.c.seq.label("run_seq"),
        runs.c.stored_at,
        messages.c.seq.label("message_seq"),
        messages.c.created_at,
    )
    .join_from(runs, run_inputs, run_inputs.c.run_id == runs.c.id)
    .join(messages, messages.c.id == run_inputs.c.message_id)
    .where(any_of(runs.c.id, "ids"))
)


_MESSAGE = insert_each(
    messages, "id", "session_id", "seq", "turn_seq", "run_id", "role", "content", "author_id",
    "metadata", "correlation_id", "created_at",
)  # fmt: skip
_RUN = insert_each(
    runs, "id", "session_id", "seq", "status", "dispatch", "principal_id", "agent_id", "pool",
    "priority", "origin", "correlation_id", "max_attempts", "stored_at",
)  # fmt: skip
_INPUT = insert_each(run_inputs, "run_id", "message_id")


async def stored(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, Place]:
    """Find those of the runs that an earlier try has written."""
    if not ids:
        return {}
    rows = await transaction.execute(_STORED, {"ids": ids})
    return {
        row.id: Place(
            message_seq=row.message_seq,
            created_at=row.created_at,
            run_seq=row.run_seq,
            stored_at=row.stored_at,
            busy_with=None,
            busy=False,
        )
        for row in rows
    }


async def insert(transaction: Transaction, fresh: Sequence[Fresh]) -> None:
    """Insert messages, runs and what the runs were given; for none, nothing happens."""
    await _MESSAGE.execute(transaction, [_message_row(each) for each in fresh])
    await _RUN.execute(transaction, [_run_row(each) for each in fresh])
    await _INPUT.execute(
        transaction,
        [{"run_id": each.intake.run_id, "message_id": each.intake.message_id} for each in fresh],
    )
    details = [
        {"run_id": each.intake.run_id, "inputs": each.intake.new.inputs}
        for each in fresh
        if each.intake.new.inputs
    ]
    if details:
        await transaction.execute(run_details.insert(), details)


def _message_row(fresh: Fresh) -> dict[str, Any]:
    intake, line, place = fresh.intake, fresh.line, fresh.place
    return {
        "id": intake.message_id,
        "session_id": line.id,
        "seq": place.message_seq,
        "turn_seq": place.run_seq,
        "run_id": intake.run_id,
        "role": Role.USER,
        "content": intake.new.content,
        "author_id": intake.new.author_id,
        "metadata": intake.new.metadata or None,
        "correlation_id": intake.new.correlation_id,
        "created_at": place.created_at,
    }


def _run_row(fresh: Fresh) -> dict[str, Any]:
    intake, line, place = fresh.intake, fresh.line, fresh.place
    return {
        "id": intake.run_id,
        "session_id": line.id,
        "seq": place.run_seq,
        "status": RunStatus.QUEUED,
        "dispatch": Dispatch.BLOCKED,
        "principal_id": intake.principal.id,
        "agent_id": line.agent_id,
        "pool": line.pool,
        "priority": intake.new.priority,
        "origin": intake.new.origin,
        "correlation_id": intake.new.correlation_id,
        "max_attempts": line.max_attempts,
        "stored_at": place.stored_at,
    }


def receipt(
    intake: Intake,
    line: Line,
    place: Place,
    cleared: Cleared = NOBODY,
    allowances: tuple[Allowance, ...] = (),
) -> Accepted:
    """Say what was accepted."""
    return Accepted(
        message=_message(intake, place),
        run=_run(intake, line, place),
        cancelled_runs=cleared.cancelled,
        told_runs=cleared.told,
        allowances=allowances,
    )


def _message(intake: Intake, place: Place) -> Message:
    new = intake.new
    return Message(
        id=intake.message_id,
        session_id=new.session_id,
        seq=place.message_seq,
        run_id=intake.run_id,
        role=Role.USER,
        content=new.content,
        author_id=new.author_id,
        metadata=new.metadata,
        correlation_id=new.correlation_id,
        created_at=place.created_at,
    )


def _run(intake: Intake, line: Line, place: Place) -> Run:
    new = intake.new
    return Run(
        id=intake.run_id,
        session_id=new.session_id,
        agent_id=line.agent_id,
        agent=line.agent,
        pool=line.pool,
        status=RunStatus.QUEUED,
        seq=place.run_seq,
        message_ids=(intake.message_id,),
        max_attempts=line.max_attempts,
        correlation_id=new.correlation_id,
        priority=new.priority,
        waiting_for=explain(
            status=RunStatus.QUEUED,
            dispatch=Dispatch.BLOCKED if place.busy else Dispatch.READY,
            cause=None,
            detail=None,
            until=None,
            busy_with=place.busy_with,
            now=place.stored_at,
        ),
        stored_at=place.stored_at,
    )
