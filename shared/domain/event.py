"""What a run says while it runs: events, numbered from 1 over all its attempts."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from shared.clock import Instant
from shared.domain.exits import Exit
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Message
from shared.domain.run import TERMINAL, ErrorCode, RunError, RunEvent, RunStatus
from shared.ids import MessageId, RunId, SessionId


class EventType(StrEnum):
    """The contract's names."""

    RUN_STARTED = "run.started"
    ATTEMPT_STARTED = "attempt.started"  # voids the deltas before it
    MESSAGE_DELTA = "message.delta"
    REASONING_DELTA = "reasoning.delta"
    TOOL_CALLED = "tool.called"
    TOOL_RETURNED = "tool.returned"
    RETRIEVAL = "retrieval"
    RUN_WAITING = "run.waiting"
    ATTEMPT_FAILED = "attempt.failed"
    MESSAGE_COMPLETED = "message.completed"
    RUN_SETTLED = "run.settled"  # the last there will ever be


# What these say is said again by `message.completed`, or by the run.
DELTAS = frozenset({EventType.MESSAGE_DELTA, EventType.REASONING_DELTA})

GIVEN_BACK = "given_back"  # the code of an attempt that its worker let go of
_LET_GO = RunError(code=GIVEN_BACK, message="The worker let go of the run.", retryable=True)
_LOST = RunError(code=ErrorCode.WORKER_LOST, message="The worker was lost.", retryable=True)

_POSITION = re.compile(r"(0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a session's events: the run's `seq`, and how many of its events came before.

    Printed, it is the id of an event: `<seq>-<n>`. Number 0 is before a run's first.
    """

    seq: int
    number: int

    def __str__(self) -> str:
        return f"{self.seq}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read an event's id. Raises ValueError."""
        match = _POSITION.fullmatch(text)
        if match is None:
            message = "expected the id of an event, like 7-42"
            raise ValueError(message)
        return cls(int(match[1]), int(match[2]))


BEGINNING, ENDING = Position(0, 0), Position(1 << 62, (1 << 31) - 1)


@dataclass(frozen=True, slots=True)
class OfRun:
    """The events of one run."""

    id: RunId


@dataclass(frozen=True, slots=True)
class OfSession:
    """The events of a session's started runs, one after the other."""

    id: SessionId


Source: TypeAlias = OfRun | OfSession


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that is to be written; a message in `data` is its id alone.

    `weight` is about what it adds to a transaction, in characters.
    """

    type: EventType
    data: JsonObject
    at: Instant
    weight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Events in order: the first has the number `start` + 1.

    What the run has beyond `start` are the same events, written before: their answer was lost.
    """

    start: int
    events: tuple[NewEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as readers see it; `message` is the one that a `message.completed` is about."""

    position: Position
    type: EventType
    run_id: RunId
    session_id: SessionId
    correlation_id: str
    at: Instant
    data: JsonObject
    message: Message | None = None


def opening(attempt: int, fence: int, at: Instant, *, first: bool) -> list[NewEvent]:
    """Return what an attempt begins with; the fence tells it from others of its number."""
    started = NewEvent(
        type=EventType.ATTEMPT_STARTED, data={"attempt": attempt, "fence": fence}, at=at
    )
    if not first:
        return [started]
    return [NewEvent(type=EventType.RUN_STARTED, data={}, at=at), started]


def closing(
    exit_: Exit, *, attempt: int, losses: int, output_id: MessageId | None, at: Instant
) -> list[NewEvent]:
    """Return what an attempt ends with; `attempt` and `losses` are those before the exit."""
    said: list[tuple[EventType, JsonObject]] = []
    if exit_.status is RunStatus.WAITING or exit_.event is RunEvent.DEFER:
        said.append((EventType.RUN_WAITING, {"cause": exit_.wait_cause}))
    elif error := _attempt_error(exit_, losses):
        retry_at = None if exit_.status in TERMINAL else exit_.available_at or at
        failed: JsonObject = {"attempt": attempt, "error": error_data(error), "retry_at": retry_at}
        said.append((EventType.ATTEMPT_FAILED, failed))
    if output_id is not None and exit_.status in TERMINAL:
        said.append((EventType.MESSAGE_COMPLETED, {"message_id": output_id.hex}))
    events = [NewEvent(type=type_, data=data, at=at) for type_, data in said]
    return [*events, settled(exit_.status, exit_.error, at)] if exit_.status in TERMINAL else events


def settled(status: RunStatus, error: RunError | None, at: Instant) -> NewEvent:
    """Return a run's last event."""
    data: JsonObject = {"status": status.value, "error": error_data(error)}
    return NewEvent(type=EventType.RUN_SETTLED, data=data, at=at)


def error_data(error: RunError | None) -> JsonObject | None:
    """Write an error as events carry it."""
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "retryable": error.retryable}


def _attempt_error(exit_: Exit, losses: int) -> RunError | None:
    if exit_.event is RunEvent.GIVE_BACK:
        return _LOST if exit_.losses > losses else _LET_GO
    return exit_.attempt_error
