"""Events on the wire: what runs say, in one shape for poll and stream."""

from typing import Annotated, Literal, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ingress.deps import Wait, whole
from ingress.sse import Frame
from shared import ids
from shared.clock import Instant
from shared.domain.event import Event as DomainEvent
from shared.domain.event import EventType
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.paging import DEFAULT_LIMIT, MAX_LIMIT
from shared.domain.printed import from_message, instant

EVENT_ID = r"^(0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,8})$"

EventId = Annotated[
    str,
    Field(
        pattern=EVENT_ID,
        max_length=28,
        description="The id of an event: what follows it is answered.",
        examples=["7-42"],
    ),
]


class EventsQuery(BaseModel):
    """From where on; `limit`, `wait` and `order` are the poll's. `cursor` is `after`."""

    model_config = ConfigDict(extra="forbid")

    after: EventId | None = None
    cursor: EventId | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(whole)] | None = None
    wait: Wait = None
    order: Literal["asc", "desc"] = "asc"

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.cursor is not None and self.after not in {None, self.cursor}:
            message = "`after` and `cursor` are the same; send one"
            raise ValueError(message)
        if self.backwards and self.wait:
            message = "`wait` waits for what comes next; leave out `order=desc`"
            raise ValueError(message)
        return self

    @property
    def at(self) -> str | None:
        """Where the page begins."""
        return self.after or self.cursor

    @property
    def backwards(self) -> bool:
        """The latest first."""
        return self.order == "desc"

    @property
    def polls(self) -> bool:
        """Asks for what only a poll has."""
        return self.limit is not None or self.wait is not None or self.backwards

    @property
    def most(self) -> int:
        """How many events a page has."""
        return self.limit or DEFAULT_LIMIT


class Event(BaseModel):
    """`data` has run_id, session_id, correlation_id, at, and what the type adds.

    `attempt.started`: attempt; it voids the deltas before it. `message.delta`: message_id, index,
    text. `reasoning.delta`: text. `tool.called`: call_id, name, arguments. `tool.returned`:
    call_id, result or error, duration_ms. `retrieval`: total, included. `run.waiting`: cause.
    `attempt.failed`: attempt, error, retry_at. `message.completed`: message. `run.settled`:
    status, error.
    """

    id: str
    type: EventType
    data: dict[str, object]


class EventPage(BaseModel):
    """What follows; `next_cursor` is the next `after`, null once nothing more can come."""

    data: list[Event]
    next_cursor: str | None


def from_event(event: DomainEvent) -> JsonObject:
    """Print an event for a poll."""
    return {"id": str(event.position), "type": event.type, "data": _data(event)}


def to_frame(event: DomainEvent) -> Frame:
    """Print an event for a stream."""
    return Frame(str(event.position), event.type, orjson.dumps(_data(event)))


def _data(event: DomainEvent) -> JsonObject:
    common: JsonObject = {
        "run_id": ids.spell("run", event.run_id),
        "session_id": ids.spell("sess", event.session_id),
        "correlation_id": event.correlation_id,
        "at": instant(event.at),
    }
    return common | _own(event)


def _own(event: DomainEvent) -> JsonObject:
    data = event.data
    match event.type:
        case EventType.ATTEMPT_STARTED:
            return {"attempt": data["attempt"]}
        case EventType.MESSAGE_DELTA:
            return data | {"message_id": f"msg_{data['message_id']}"}
        case EventType.ATTEMPT_FAILED:
            return data | {"retry_at": _moment(data["retry_at"])}
        case EventType.MESSAGE_COMPLETED:
            return {"message": None if event.message is None else from_message(event.message)}
    return data


def _moment(stored: Json) -> str | None:
    return instant(Instant(stored)) if isinstance(stored, int) else None
