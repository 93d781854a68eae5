"""Runs on the wire: in lists, and with all that was retrieved."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from ingress.dialects.powabase.wire.context import Citation, Retrieved, from_citations, from_context
from ingress.dialects.powabase.wire.spelling import Timestamp, maybe_moment, moment
from ingress.dialects.powabase.wire.turn import (
    STATUSES,
    content_of,
    effort_of,
    error_of,
    reasoning_of,
    reasoning_requested,
    reasoning_steps_of,
    steps_of,
    tool_calls_of,
    usage_of,
)
from shared import ids
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import plain_text
from shared.domain.turn import Turn
from shared.ids import SessionId

Status = Literal["pending", "running", "completed", "failed"]


class Usage(BaseModel):
    """What it cost, as far as that is known."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    total_tokens: int | None = None


class ToolCall(BaseModel):
    """A call of a tool; `error` is there if it failed."""

    step: int
    tool_name: str | None
    call_id: str | None
    arguments: object
    result: object
    duration_ms: int | None
    error: str | None = None


class ReasoningStep(BaseModel):
    """What was thought, and the names of the tools that it led to."""

    step: int
    content: str | None = None
    tool_calls: list[str] | None = None


class _Run(BaseModel):
    id: str
    run_id: str
    status: Status
    input_messages: list[dict[str, object]]
    output_messages: list[dict[str, object]]
    content: str | None
    usage: Usage | None
    error: str | None
    started_at: Timestamp | None
    completed_at: Timestamp | None
    created_at: Timestamp
    steps: int
    events: list[dict[str, object]]
    tool_calls: list[ToolCall]
    reasoning_steps: list[ReasoningStep]
    reasoning_requested: bool
    reasoning_effort: str | None


class ListedRun(_Run):
    """A run in a list; what was retrieved for it has a route of its own."""

    context_handler_id: str | None
    agent_id: str
    model: str | None
    citations: list[Citation] | None = None


class Run(_Run):
    """A run with all that was retrieved for it; `session_id` is the session's `id`."""

    session_id: str
    parent_orchestration_run_id: str | None
    parent_workflow_execution_id: str | None
    retrieved_context: list[Retrieved]


class Runs(BaseModel):
    """Some of a session's runs, oldest first."""

    session_id: str
    runs: list[ListedRun]
    limit: int
    offset: int


class Resumed(BaseModel):
    """It goes on."""

    status: Literal["resumed"]


def from_turns(session_id: SessionId, turns: Sequence[Turn], limit: int, offset: int) -> JsonObject:
    """Print a list."""
    runs: list[Json] = [_listed(turn) for turn in turns]
    return {
        "session_id": ids.spell("sess", session_id),
        "runs": runs,
        "limit": limit,
        "offset": offset,
    }


def from_turn(turn: Turn) -> JsonObject:
    """Print one run."""
    return _run(turn) | {
        "session_id": str(turn.run.session_id),
        "parent_orchestration_run_id": None,
        "parent_workflow_execution_id": None,
        "retrieved_context": from_context(turn.context),
    }


def from_retrieved(turn: Turn) -> JsonObject:
    """Print what was retrieved for a run."""
    return {
        "session_id": ids.spell("sess", turn.run.session_id),
        "run_id": ids.spell("run", turn.run.id),
        "retrieved_context": from_context(turn.context),
    }


def from_seed(session_id: SessionId, name: str) -> JsonObject:
    """Print what was retrieved for a pair that nobody ran: nothing."""
    return {
        "session_id": ids.spell("sess", session_id),
        "run_id": name.lower(),
        "retrieved_context": [],
    }


def _listed(turn: Turn) -> JsonObject:
    run = turn.run
    own: JsonObject = {
        "context_handler_id": None,
        "agent_id": str(run.agent_id),
        "model": run.model,
    }
    cited = run.output.citations if run.output else ()
    return _run(turn) | own | ({"citations": from_citations(cited)} if cited else {})


def _run(turn: Turn) -> JsonObject:
    run = turn.run
    asked: list[Json] = [
        {"role": message.role, "content": plain_text(message.content)} for message in turn.inputs
    ]
    return {
        "id": str(run.id),
        "run_id": ids.spell("run", run.id),
        "status": STATUSES[run.status],
        "input_messages": asked,
        "output_messages": _answered(turn),
        "content": content_of(run),
        "usage": usage_of(run),
        "error": error_of(run),
        "started_at": maybe_moment(run.claimed_at),
        "completed_at": maybe_moment(run.settled_at),
        "created_at": moment(run.stored_at),
        "steps": steps_of(turn),
        "events": [],
        "tool_calls": tool_calls_of(turn),
        "reasoning_steps": reasoning_steps_of(turn),
        "reasoning_requested": reasoning_requested(run.options),
        "reasoning_effort": effort_of(run),
    }


def _answered(turn: Turn) -> list[Json]:
    content = content_of(turn.run)
    if content is None:
        return []
    answer: JsonObject = {"role": "assistant", "content": content}
    return [answer | reasoning_of(turn.run)]
