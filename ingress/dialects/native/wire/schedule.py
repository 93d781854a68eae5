"""Schedules on the wire: a message to repeat, and when."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ingress.content import ContentField
from ingress.deps import id_schema, reader
from ingress.dialects.native.wire.fields import Body
from ingress.dialects.native.wire.message import KnowledgeBase, NewMessage, Reasoning
from ingress.dialects.native.wire.paging import NewestFirst
from ingress.fields import Inputs, Metadata, Timestamp, WebUrl
from shared import ids
from shared.domain import requests
from shared.domain.errors import FieldError, ValidationFailed
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.principal import Principal
from shared.domain.printed import instant, maybe_id
from shared.domain.schedule import Missed
from shared.domain.schedule import NewSchedule as DomainNewSchedule
from shared.domain.schedule import Schedule as DomainSchedule
from shared.ids import ScheduleId, SessionId

_SESSION = (BeforeValidator(reader("sess")), id_schema("sess"))
_EXAMPLE: JsonObject = {
    "session_id": "sess_0198c0de5e557c0de0000000c0ffee01",
    "message": {"content": "What is new?"},
    "cron": "0 9 * * 1-5",
    "time_zone": "Europe/Berlin",
}


class ScheduledMessage(BaseModel):
    """A message without instants of its own: it comes in when it is due."""

    model_config = ConfigDict(strict=True, extra="forbid")

    content: ContentField
    metadata: Metadata = Field(default_factory=dict)
    inputs: Inputs = Field(default_factory=dict)
    on_busy: Literal["enqueue", "reject", "interrupt", "rollback", "coalesce"] = "enqueue"
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    reasoning: Reasoning | None = None
    knowledge_bases: list[KnowledgeBase] = Field(default_factory=list, max_length=20)
    callback_url: WebUrl | None = None

    def to_domain(
        self, principal: Principal, session_id: SessionId, correlation_id: str, max_chars: int
    ) -> requests.NewMessage:
        given = {name: getattr(self, name) for name in self.model_fields_set}
        message = NewMessage.model_construct(self.model_fields_set, **given)
        try:
            return message.to_domain(principal, session_id, correlation_id, max_chars)
        except ValidationFailed as error:
            error.errors = tuple(_inside(each) for each in error.errors)
            raise


def _inside(error: FieldError) -> FieldError:
    return FieldError(("body", "message", *error.loc[1:]), error.msg)


class NewSchedule(Body):
    """A message to repeat, in a session that is there."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    session_id: Annotated[SessionId, *_SESSION]
    message: ScheduledMessage
    cron: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="Five fields: minute, hour, day of month, month, day of week.",
        ),
    ]
    time_zone: Annotated[
        str, Field(min_length=1, max_length=100, description="A name of the IANA database.")
    ] = "UTC"
    missed: Annotated[
        Literal["skip", "once", "all"],
        Field(
            description="What becomes of the times at which this server was down or the schedule "
            "paused: nothing, one message for all of them, or one each (at most the newest 100)."
        ),
    ] = "skip"

    def to_domain(
        self, principal: Principal, correlation_id: str, max_chars: int
    ) -> DomainNewSchedule:
        return DomainNewSchedule(
            message=self.message.to_domain(principal, self.session_id, correlation_id, max_chars),
            cron=self.cron,
            time_zone=self.time_zone,
            missed=Missed(self.missed),
        )


class SchedulesQuery(NewestFirst):
    """Which schedules."""

    session_id: Annotated[SessionId, *_SESSION] | None = None


class RepeatedMessage(BaseModel):
    """What is sent each time; its `metadata.schedule` tells `id` and `due_at`."""

    content: str | list[dict[str, object]]
    metadata: dict[str, object]
    inputs: dict[str, object]
    on_busy: str
    priority: int
    reasoning: Reasoning | None
    knowledge_bases: list[KnowledgeBase]
    callback_url: str | None


class Refused(BaseModel):
    """Why the last message was not accepted."""

    code: str
    message: str


class Schedule(BaseModel):
    """A message that comes again and again; `last_fired_at` is the time it was sent for last."""

    id: str
    session_id: str
    message: RepeatedMessage
    cron: str
    time_zone: str
    missed: Missed
    next_at: Timestamp | None
    paused_at: Timestamp | None
    last_fired_at: Timestamp | None
    last_run_id: str | None
    last_error: Refused | None
    correlation_id: str
    created_at: Timestamp


def from_schedule(schedule: DomainSchedule) -> JsonObject:
    """Print a schedule."""
    message, error = schedule.message, schedule.last_error
    return {
        "id": ids.spell("sched", schedule.id),
        "session_id": ids.spell("sess", message.session_id),
        "message": _from_message(message),
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "missed": schedule.missed,
        "next_at": instant(schedule.next_at),
        "paused_at": instant(schedule.paused_at),
        "last_fired_at": instant(schedule.last_fired_at),
        "last_run_id": maybe_id("run", schedule.last_run_id),
        "last_error": {"code": error.code, "message": error.message} if error else None,
        "correlation_id": message.correlation_id,
        "created_at": instant(schedule.created_at),
    }


def _from_message(message: requests.NewMessage) -> JsonObject:
    content: Json = message.content  # type: ignore[assignment]  # a list is invariant
    return {
        "content": content,
        "metadata": message.metadata,
        "inputs": message.inputs,
        "on_busy": message.on_busy,
        "priority": message.priority,
        "reasoning": message.options.get("reasoning"),
        "knowledge_bases": message.options.get("knowledge_bases", []),
        "callback_url": message.callback_url,
    }


def schedule_location(schedule_id: ScheduleId) -> str:
    """Where a schedule is read."""
    return f"/v1/schedules/{ids.spell('sched', schedule_id)}"
