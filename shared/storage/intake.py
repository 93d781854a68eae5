"""Intake: message and run in one commit, and that commit is the acceptance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant
from shared.domain.errors import InturnError, NotFound, SessionEnded, SessionQueueFull
from shared.domain.message import Message, Role
from shared.domain.principal import Principal
from shared.domain.requests import Accepted, NewMessage
from shared.domain.run import Dispatch, Run, RunStatus
from shared.domain.waiting import explain
from shared.ids import MessageId, RunId
from shared.storage.each import insert_each
from shared.storage.lines import Line, finish, lock_lines
from shared.storage.schema import messages, run_details, run_inputs, runs
from shared.storage.store import Store, Transaction
from shared.storage.types import any_of


@dataclass(slots=True, kw_only=True)
class Intake:
    """A message at the door. Its ids exist before the first try; `tried` marks a replay."""

    principal: Principal
    new: NewMessage
    message_id: MessageId
    run_id: RunId
    max_queued: int
    tried: bool = False


@dataclass(slots=True, frozen=True, kw_only=True)
class _Place:
    """Where a message and its run stand in their session."""

    message_seq: int
    created_at: Instant
    run_seq: int
    stored_at: Instant
    busy_with: RunId | None
    busy: bool


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


async def accept(
    store: Store, transaction: Transaction, intakes: Sequence[Intake]
) -> list[Accepted | InturnError]:
    """Append each message to its session's line, in the order given, and promote.

    Per item: NotFound, SessionEnded or SessionQueueFull, and nothing is stored of it.
    """
    lines = await lock_lines(transaction, [intake.new.session_id for intake in intakes])
    stored = await _stored(transaction, [intake.run_id for intake in intakes if intake.tried])
    now = await store.now(transaction)
    results: list[Accepted | InturnError] = []
    fresh: list[tuple[Intake, Line, _Place]] = []
    for intake in intakes:
        intake.tried = True
        line = lines.get(intake.new.session_id)
        refusal = _refusal(intake, line)
        if place := stored.get(intake.run_id):
            results.append(_receipt(intake, lines[intake.new.session_id], place))
        elif refusal or line is None:
            results.append(refusal or NotFound("session"))
        else:
            place = _append(intake, line, now)
            fresh.append((intake, line, place))
            results.append(_receipt(intake, line, place))
    if fresh:
        await _insert(transaction, fresh)
        await finish(transaction, lines.values(), now)
    return results


async def _stored(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, _Place]:
    if not ids:
        return {}
    rows = await transaction.execute(_STORED, {"ids": ids})
    return {
        row.id: _Place(
            message_seq=row.message_seq,
            created_at=row.created_at,
            run_seq=row.run_seq,
            stored_at=row.stored_at,
            busy_with=None,
            busy=False,
        )
        for row in rows
    }


def _refusal(intake: Intake, line: Line | None) -> InturnError | None:
    if line is None or line.deleted_at is not None:
        return NotFound("session")
    if not intake.principal.sees(line.tenant, line.user_id):
        return NotFound("session")
    if line.ended_at is not None:
        return SessionEnded("This session has ended; create a new one.")
    if line.queue_depth >= intake.max_queued:
        detail = f"This session already has {line.queue_depth} queued runs; wait for some to end."
        return SessionQueueFull(detail, retry_after=5)
    return None


def _append(intake: Intake, line: Line, now: Instant) -> _Place:
    busy, busy_with = line.busy, line.active_run_id
    message_seq, created_at = line.add_message(now)
    line.shift(intake.run_id, None, RunStatus.QUEUED)
    return _Place(
        message_seq=message_seq,
        created_at=created_at,
        run_seq=line.next_seq(),
        stored_at=now,
        busy_with=busy_with,
        busy=busy,
    )


async def _insert(transaction: Transaction, fresh: Sequence[tuple[Intake, Line, _Place]]) -> None:
    await _MESSAGE.execute(transaction, [_message_row(*entry) for entry in fresh])
    await _RUN.execute(transaction, [_run_row(*entry) for entry in fresh])
    await _INPUT.execute(
        transaction,
        [{"run_id": intake.run_id, "message_id": intake.message_id} for intake, _, _ in fresh],
    )
    details = [
        {"run_id": intake.run_id, "inputs": intake.new.inputs}
        for intake, _, _ in fresh
        if intake.new.inputs
    ]
    if details:
        await transaction.execute(run_details.insert(), details)


def _message_row(intake: Intake, line: Line, place: _Place) -> dict[str, Any]:
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


def _run_row(intake: Intake, line: Line, place: _Place) -> dict[str, Any]:
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


def _receipt(intake: Intake, line: Line, place: _Place) -> Accepted:
    return Accepted(message=_message(intake, place), run=_run(intake, line, place))


def _message(intake: Intake, place: _Place) -> Message:
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


def _run(intake: Intake, line: Line, place: _Place) -> Run:
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
