"""Batches on the wire: messages that come together, each with an end of its own."""

import math
from typing import Annotated, Self, cast

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)

from ingress.deps import id_schema, reader
from ingress.dialects.native.wire.message import Message, NewMessage
from ingress.dialects.native.wire.problem import Place, places
from ingress.dialects.native.wire.run_view import Run
from ingress.dialects.native.wire.session_request import NewSession
from ingress.idempotency import MAX_LENGTH
from ingress.parameters import validation_failed
from ingress.statuses import status_of
from ingress.strictjson import Item
from shared import ids
from shared.domain.errors import FieldError, InturnError, ValidationFailed
from shared.domain.idempotency import Answer
from shared.domain.jsontypes import JsonObject
from shared.domain.printed import from_message, from_run
from shared.domain.requests import Accepted
from shared.ids import SessionId

MAX_ITEMS = 1000
MAX_BYTES = 10 * 1024 * 1024

SessionRef = Annotated[SessionId, BeforeValidator(reader("sess")), id_schema("sess")]
IdempotencyKey = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_LENGTH, pattern=r"^[\x21-\x7e]*$")
]


class BatchedMessage(NewMessage):
    """A message for a session, or for one that opens with it; exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"session": {"agent": "echo"}, "content": "Hello!"}}
    )

    session_id: SessionRef | None = None
    session: NewSession | None = None
    idempotency_key: IdempotencyKey | None = None

    @model_validator(mode="after")
    def _one_session(self) -> Self:
        if (self.session_id is None) == (self.session is None):
            message = "give either `session_id` or `session`"
            raise ValueError(message)
        return self


class ItemError(BaseModel):
    """Why one item was refused; `retry_after` is in seconds."""

    code: str
    detail: str
    errors: list[Place] | None = None
    retry_after: int | None = None


class Result(BaseModel):
    """What became of one item: `status` is what it would have been answered alone.

    `replayed`: this is the first answer to the same idempotency key.
    """

    index: int
    status: int
    message: Message | None = None
    run: Run | None = None
    cancelled_runs: list[str] | None = None
    replayed: bool | None = None
    error: ItemError | None = None


class Results(BaseModel):
    """One result for each item, in order."""

    results: list[Result]


def to_batched(item: Item, index: int) -> BatchedMessage | InturnError:
    """Check one item by itself."""
    if isinstance(item, InturnError):
        return at(index, item)
    if not isinstance(item, dict):
        return ValidationFailed.of(("body", index), "expected an object")
    try:
        return BatchedMessage.model_validate(item)
    except ValidationError as error:
        return validation_failed(error, ("body", index))


def at(index: int, error: InturnError, *inside: str) -> InturnError:
    """Say where in the batch the error is."""
    if isinstance(error, ValidationFailed):
        error.errors = tuple(
            FieldError(("body", index, *inside, *each.loc[1:]), each.msg) for each in error.errors
        )
    return error


def to_answer(accepted: Accepted) -> Answer:
    """Print what was accepted, so that it can be kept."""
    body = orjson.dumps(from_accepted(accepted)).decode()
    return Answer(status=202, body=body, run_id=accepted.run.id)


def from_accepted(accepted: Accepted) -> JsonObject:
    body: JsonObject = {"message": from_message(accepted.message), "run": from_run(accepted.run)}
    if accepted.cancelled_runs:
        body["cancelled_runs"] = [ids.spell("run", each) for each in accepted.cancelled_runs]
    return body


def from_answer(answer: Answer) -> JsonObject:
    """Print what the same key was answered first."""
    return {**cast("JsonObject", orjson.loads(answer.body)), "replayed": True}


def from_refusal(error: InturnError) -> JsonObject:
    """Print an error without its envelope."""
    body: JsonObject = {"code": error.code, "detail": error.detail}
    if isinstance(error, ValidationFailed):
        body["errors"] = places(error)
    if error.retry_after is not None:
        body["retry_after"] = max(1, math.ceil(error.retry_after))
    return {"status": status_of(error), "error": body}
