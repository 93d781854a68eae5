"""A session's messages on the wire: the turns that were answered, assembled."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from ingress.dialects.powabase.wire.context import Citation, Retrieved, from_citations, from_context
from ingress.dialects.powabase.wire.spelling import Timestamp, moment
from ingress.dialects.powabase.wire.turn import reasoning_of
from shared import ids
from shared.clock import Instant
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Message as DomainMessage
from shared.domain.message import Role, plain_text
from shared.domain.turn import Turn

TOOLS = "tools"
_OUTCOME = ("arguments", "result", "error")
Include = Annotated[
    str | None, Query(description="`tools` shows the calls of tools, too, each as a message.")
]


class Message(BaseModel):
    """One utterance. Both messages of a turn have its run, and the run's `created_at`.

    An answer has `retrieved_context`; it has `citations` only if it cites something,
    `reasoning_requested` and `reasoning_duration_ms` only if it was asked to think. A message of
    a tool has `tool_name`, `call_id`, `arguments`, and `result` or `error`.
    """

    role: Role
    content: str
    run_id: str
    timestamp: Timestamp
    retrieved_context: list[Retrieved] | None = None
    citations: list[Citation] | None = None
    reasoning_requested: bool | None = None
    reasoning_duration_ms: int | None = None
    reasoning: dict[str, object] | None = None
    tool_name: str | None = None
    call_id: str | None = None
    arguments: object = None
    result: object = None
    error: str | None = None


class Messages(BaseModel):
    """What was said, in order."""

    session_id: str
    messages: list[Message]


def from_turn(turn: Turn, *, tools: bool) -> Iterator[JsonObject]:
    """Print what was asked, what tools said if that is wanted, and the answer."""
    run = turn.run
    run_id = ids.spell("run", run.id)
    for message in turn.inputs:
        yield _said(message, run_id, run.stored_at)
    for message in turn.tools if tools else ():
        call = message.tool or {}
        told: JsonObject = {"tool_name": call.get("name"), "call_id": call.get("call_id")}
        told |= {name: call[name] for name in _OUTCOME if name in call}
        yield _said(message, run_id, run.stored_at) | told
    if run.output is not None:
        answer = _said(run.output, run_id, run.stored_at)
        yield (
            answer
            | {"retrieved_context": from_context(turn.context)}
            | _cited(run.output)
            | (reasoning_of(run))
        )


def from_pairs(messages: Sequence[DomainMessage]) -> Iterator[list[JsonObject]]:
    """Print the pairs that a session began with: no run made them, each is named by itself."""
    for asked, answered in zip(messages[::2], messages[1::2], strict=False):
        name = ids.spell("seed", asked.id)
        answer = _said(answered, name, asked.created_at)
        yield [_said(asked, name, asked.created_at), answer | {"retrieved_context": []}]


def _said(message: DomainMessage, run_id: str, at: Instant) -> JsonObject:
    return {
        "role": message.role,
        "content": plain_text(message.content),
        "run_id": run_id,
        "timestamp": moment(at),
    }


def _cited(message: DomainMessage) -> JsonObject:
    return {"citations": from_citations(message.citations)} if message.citations else {}
