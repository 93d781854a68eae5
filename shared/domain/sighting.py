"""What those who follow a session are to be told: derived from its rows, each thing once."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from shared.clock import Instant
from shared.domain.event import BEGINNING, Event, EventType, Position
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Message, Role, plain_text
from shared.domain.run import RunStatus
from shared.ids import MessageId, RunId

_ANOTHER = "This attempt has ended without an answer; another follows."
_NO_ANSWER = "The run was ended before it had answered."


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message that is there to stay; one that was streamed before it ends its stream."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of an answer that is being made: `index` counts from 0 with each message id."""

    message_id: MessageId
    index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """There is no answer: what was streamed as this message counts no more.

    If nothing was, the id is the run's. `text` is what stays of it.
    """

    message_id: UUID
    error: str
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """The end was near at `warned_at`."""

    warned_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Its time is up."""

    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """The end was put off, perhaps more than once since the last look."""

    expires_at: Instant
    renewal_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """It was ended or deleted; nothing follows."""


Sighting: TypeAlias = Posted | Piece | Broken | Warned | Expired | Renewed | Gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a session's row says of its lifetime."""

    expires_at: Instant | None = None
    renewal_count: int = 0
    warned_at: Instant | None = None
    expired_at: Instant | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a follower is: messages up to `seq`, events up to `position`.

    `unsaid` are runs beyond it that failed before they started, and were told.
    """

    seq: int = 0
    position: Position = BEGINNING
    unsaid: frozenset[RunId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What there is beyond a place, as of one moment; `more` is there already.

    `seen` are the session's version and the number of its live run's events, for signals.
    `failures` are the errors of runs that never started.
    """

    seen: tuple[int, int]
    marks: Marks
    place: Place
    messages: tuple[Message, ...] = ()
    events: tuple[Event, ...] = ()
    failures: tuple[tuple[RunId, str], ...] = ()
    more: bool = False


class Witness:
    """Turns one look after the other into what is new; the first is where it begins."""

    def __init__(self, first: Look) -> None:
        self._marks = first.marks
        self._open: MessageId | None = None  # the message that is being streamed
        self._answer: Message | UUID | None = None  # of a run that is not known to have settled

    def tell(self, look: Look) -> tuple[Sighting, ...]:
        """Say what is new, in the order in which it happened as far as rows tell it."""
        return (*self._said(look), *self._lived(look.marks))

    def _said(self, look: Look) -> Iterator[Sighting]:
        events = deque(look.events)
        for message in look.messages:
            if message.role is Role.ASSISTANT:
                yield from self._until(message.id, events)
                self._answer = message
            yield Posted(message=message)
        while events:
            yield from self._heard(events.popleft())
        for run_id, error in look.failures:
            yield Broken(message_id=run_id, error=error)

    def _until(self, message_id: MessageId, events: deque[Event]) -> Iterator[Sighting]:
        """Tell the pieces of an answer, if they are there, before the answer."""
        if any(_completes(event) == message_id for event in events):
            while _completes(event := events.popleft()) != message_id:
                yield from self._heard(event)
            yield from self._heard(event)

    def _heard(self, event: Event) -> Iterator[Sighting]:
        match event.type:
            case EventType.MESSAGE_DELTA:
                yield from self._piece(event.data)
            case EventType.ATTEMPT_STARTED:
                yield from self._broken(_ANOTHER)
            case EventType.ATTEMPT_FAILED if event.data["retry_at"] is not None:
                yield from self._broken(_ANOTHER)
            case EventType.MESSAGE_COMPLETED:
                self._answer = _completes(event)
                self._open = None if self._open == self._answer else self._open
            case EventType.RUN_SETTLED:
                yield from self._settled(event)

    def _piece(self, data: JsonObject) -> Iterator[Sighting]:
        message_id = MessageId(UUID(str(data["message_id"])))
        if message_id != self._open:
            yield from self._broken(_ANOTHER)
            self._open = message_id
        yield Piece(message_id=message_id, index=int(str(data["index"])), text=str(data["text"]))

    def _settled(self, event: Event) -> Iterator[Sighting]:
        answer, self._answer = self._answer, None
        if isinstance(answer, Message) and answer.run_id != event.run_id:
            answer = None
        error = event.data["error"]
        if event.data["status"] != RunStatus.FAILED or not isinstance(error, dict):
            yield from self._broken(_NO_ANSWER)
            return
        text = plain_text(answer.content) if isinstance(answer, Message) else None
        kept_as = answer.id if isinstance(answer, Message) else answer
        told_as: UUID = kept_as or self._open or event.run_id
        self._open = None
        yield Broken(message_id=told_as, error=str(error["message"]), text=text)

    def _broken(self, error: str) -> Iterator[Sighting]:
        if self._open is not None:
            yield Broken(message_id=self._open, error=error)
            self._open = None

    def _lived(self, marks: Marks) -> Iterator[Sighting]:
        before, self._marks = self._marks, marks
        if marks.expires_at is not None:
            if marks.renewal_count > before.renewal_count:
                yield Renewed(expires_at=marks.expires_at, renewal_count=marks.renewal_count)
            if marks.warned_at not in {None, before.warned_at} and marks.expired_at is None:
                yield Warned(warned_at=marks.warned_at, expires_at=marks.expires_at)
            if marks.expired_at not in {None, before.expired_at}:
                yield Expired(expires_at=marks.expires_at)
        if marks.ended:
            yield Gone()


def _completes(event: Event) -> UUID | None:
    if event.type is not EventType.MESSAGE_COMPLETED:
        return None
    return UUID(str(event.data["message_id"]))
