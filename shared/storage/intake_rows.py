"""What intake writes: a message, its run, what the run answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.clock import Instant
from shared.domain.coalescing import options_hash
from shared.domain.errors import InturnError
from shared.domain.idempotency import Idempotency
from shared.domain.living import Visibility
from shared.domain.message import Role
from shared.domain.principal import Principal
from shared.domain.rates import Meter
from shared.domain.requests import Accepted, NewMessage, Opening
from shared.domain.run import Dispatch, OnBusy, Run, RunStatus
from shared.ids import MessageId, RunId
from shared.storage.each import insert_each
from shared.storage.lines import Line
from shared.storage.schema import messages, run_details, run_inputs, runs
from shared.storage.store import Transaction


@dataclass(slots=True, kw_only=True)
class Intake:
    """A message at the door. Its ids exist before the first try; `tried` marks a replay."""

    principal: Principal
    new: NewMessage
    message_id: MessageId
    run_id: RunId
    max_queued: int
    visibility: Visibility = field(default_factory=Visibility)  # of a session that expired
    opening: Opening | None = None  # the session that this is to be the first message of
    refusal: InturnError | None = None  # known before, for whoever was not answered before
    meters: tuple[Meter, ...] = ()
    idempotency: Idempotency[Accepted] | None = None
    tried: bool = False


@dataclass(slots=True, frozen=True, kw_only=True)
class Place:
    """Where a message stands in its session, and the run that will answer it.

    One that is not due has no `seq` yet, and neither has its run.
    """

    seq: int | None
    created_at: Instant
    run: Run
    joined: bool = False  # the run was there before


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

_MESSAGE = insert_each(
    messages, "id", "session_id", "seq", "turn_seq", "run_id", "role", "content", "author_id",
    "metadata", "correlation_id", "created_at",
)  # fmt: skip
_MESSAGE_WITH_ATTACHMENTS = insert_each(
    messages, "id", "session_id", "seq", "turn_seq", "run_id", "role", "content", "author_id",
    "metadata", "correlation_id", "created_at", "attachments",
)  # fmt: skip
_PLAIN = (
    "id", "session_id", "seq", "status", "dispatch", "principal_id", "agent_id", "pool",
    "priority", "origin", "correlation_id", "max_attempts", "stored_at",
)  # fmt: skip
_RUN = insert_each(runs, *_PLAIN)
# Most are plain, and every column costs them.
_PARTICULAR_RUN = insert_each(
    runs, *_PLAIN, "on_busy", "options_hash", "available_at", "deadline_at"
)
_INPUT = insert_each(run_inputs, "run_id", "message_id")


async def insert(transaction: Transaction, fresh: Sequence[Fresh]) -> None:
    """Insert messages, runs and what the runs were given; for none, nothing happens."""
    new = [each for each in fresh if not each.place.joined]
    bare = [each for each in fresh if not each.intake.new.attachments]
    await _MESSAGE.execute(transaction, [_message_row(each) for each in bare])
    attached = [
        _message_row(each) | {"attachments": list(each.intake.new.attachments)}
        for each in fresh
        if each.intake.new.attachments
    ]
    await _MESSAGE_WITH_ATTACHMENTS.execute(transaction, attached)
    plain = [each for each in new if _is_plain(each)]
    await _RUN.execute(transaction, [_run_row(each) for each in plain])
    particular = [_run_row(each) | _particulars(each) for each in new if not _is_plain(each)]
    await _PARTICULAR_RUN.execute(transaction, particular)
    await _INPUT.execute(
        transaction,
        [{"run_id": each.place.run.id, "message_id": each.intake.message_id} for each in fresh],
    )
    if details := [row for each in new if (row := _details(each.intake))]:
        await transaction.execute(run_details.insert(), details)


def _message_row(fresh: Fresh) -> dict[str, Any]:
    intake, place = fresh.intake, fresh.place
    return {
        "id": intake.message_id,
        "session_id": fresh.line.id,
        "seq": place.seq,
        "turn_seq": place.run.seq,
        "run_id": place.run.id,
        "role": Role.USER,
        "content": intake.new.content,
        "author_id": intake.new.author_id,
        "metadata": intake.new.metadata or None,
        "correlation_id": intake.new.correlation_id,
        "created_at": place.created_at,
    }


def _is_plain(fresh: Fresh) -> bool:
    new = fresh.intake.new
    return new.on_busy is OnBusy.ENQUEUE and new.deadline is None and new.not_before is None


def _particulars(fresh: Fresh) -> dict[str, Any]:
    new, scheduled = fresh.intake.new, fresh.place.run.seq is None
    hash_ = None
    if new.on_busy is OnBusy.COALESCE:
        hash_ = options_hash(new, fresh.intake.principal.id)
    return {
        "on_busy": new.on_busy,
        "options_hash": hash_,
        "available_at": new.not_before if scheduled else None,
        "deadline_at": new.deadline,
    }


def _run_row(fresh: Fresh) -> dict[str, Any]:
    intake, line, run = fresh.intake, fresh.line, fresh.place.run
    new = intake.new
    return {
        "id": run.id,
        "session_id": line.id,
        "seq": run.seq,
        "status": RunStatus.QUEUED,
        "dispatch": Dispatch.SCHEDULED if run.seq is None else Dispatch.BLOCKED,
        "principal_id": intake.principal.id,
        "agent_id": line.agent_id,
        "pool": line.pool,
        "priority": new.priority,
        "origin": new.origin,
        "correlation_id": new.correlation_id,
        "max_attempts": line.max_attempts,
        "stored_at": run.stored_at,
    }


def _details(intake: Intake) -> dict[str, Any] | None:
    new = intake.new
    if not (new.inputs or new.options or new.callback_url):
        return None
    return {
        "run_id": intake.run_id,
        "inputs": new.inputs or None,
        "options": new.options or None,
        "callback_url": new.callback_url,
    }
