"""What an execution answers: three published shapes in one, for none contradicts another."""

from collections.abc import Mapping
from typing import Literal, cast

from pydantic import BaseModel

from shared import ids
from shared.clock import SECOND, Instant
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Message, plain_text
from shared.domain.run import ErrorCode, Run, RunStatus
from shared.domain.turn import Turn

_FAILURES = {
    ErrorCode.CONTENT_POLICY: "content_policy_error",
    ErrorCode.RUN_TIMEOUT: "timeout_error",
    ErrorCode.DEADLINE_PASSED: "timeout_error",
    ErrorCode.APPROVAL_EXPIRED: "timeout_error",
    ErrorCode.DEFERRED_TOO_LONG: "timeout_error",
    "tool_error": "tool_error",
    "tool_failed": "tool_error",
}
_STATUSES = {
    RunStatus.SUCCEEDED: "completed",
    RunStatus.FAILED: "error",
    RunStatus.CANCELLED: "error",
}
_UNFINISHED = "timeout"

Durations = Mapping[str, int]  # milliseconds by the call's id


class ToolCall(BaseModel):
    """A tool that was called; `result` is what went wrong where the status is error."""

    id: str
    name: str
    arguments: object
    result: object
    status: Literal["completed", "error"]
    duration_ms: int | None


class Response(BaseModel):
    """The answer as text, and the tools that were called for it."""

    content: str
    tool_calls: list[ToolCall]


class ExecutionMessage(BaseModel):
    """A message of this execution: what was sent, what tools returned, the answer."""

    id: str
    role: str
    content: str | list[dict[str, object]]
    created_at: int


class Usage(BaseModel):
    """Tokens."""

    input_tokens: int
    output_tokens: int


class Metadata(BaseModel):
    """About the execution; `correlation_id` is null where the caller sent none."""

    correlation_id: str | None
    event_count: int
    execution_id: str
    usage: Usage


class Failure(BaseModel):
    """Why there is no answer, or none yet."""

    type: Literal["tool_error", "content_policy_error", "timeout_error", "api_error"]
    message: str


class Execution(BaseModel):
    """An execution. With the status `timeout` it goes on; its answer will be in the messages.

    `id` and `session_id` are the session, `execution_id` is the run, in which other contracts of
    this server can look for it. Instants are seconds since 1970.
    """

    success: bool
    session_id: str
    message_id: str | None
    response: Response
    correlation_id: str
    execution_id: str
    id: str
    status: Literal["completed", "error", "timeout"]
    created_at: int
    completed_at: int | None
    config: dict[str, object]
    messages: list[ExecutionMessage]
    execution_time: float
    metadata: Metadata
    type: Literal["execution_result"]
    client_type: Literal["backend"]
    error: Failure | None = None
    object: Literal["agent.session"]  # shadows the builtin from here on


def from_turn(
    turn: Turn,
    correlation_id: str | None,
    *,
    waited: float = 0.0,
    durations: Durations | None = None,
) -> JsonObject:
    """Print a run as it is; `correlation_id` is the caller's own, `waited` are seconds."""
    run = turn.run
    session_id = ids.spell("sess", run.session_id)
    said = [*turn.inputs, *turn.tools, *([run.output] if run.output else [])]
    calls: list[Json] = [_tool_call(each, durations or {}) for each in turn.tools if each.tool]
    body: JsonObject = {
        "success": run.status is RunStatus.SUCCEEDED,
        "session_id": session_id,
        "message_id": ids.spell("msg", run.output.id) if run.output else None,
        "response": {
            "content": plain_text(run.output.content) if run.output else "",
            "tool_calls": calls,
        },
        "correlation_id": run.correlation_id,
        "execution_id": ids.spell("run", run.id),
        "id": session_id,
        "object": "agent.session",
        "status": _STATUSES.get(run.status, _UNFINISHED),
        "created_at": _seconds(run.stored_at),
        "completed_at": None if run.settled_at is None else _seconds(run.settled_at),
        "config": {},
        "messages": [_message(each) for each in said],
        "execution_time": _duration(run, waited),
        "metadata": {
            "correlation_id": correlation_id,
            "event_count": run.event_count,
            "execution_id": ids.spell("run", run.id),
            "usage": _usage(run),
        },
        "type": "execution_result",
        "client_type": "backend",
    }
    if failure := _failure(run):
        body["error"] = failure
    return body


def _message(message: Message) -> JsonObject:
    return {
        "id": ids.spell("msg", message.id),
        "role": message.role,
        "content": cast("Json", message.content),
        "created_at": _seconds(message.created_at),
    }


def _tool_call(message: Message, durations: Durations) -> JsonObject:
    called = message.tool or {}
    call_id, failed = str(called.get("call_id")), "error" in called
    return {
        "id": call_id,
        "name": called.get("name"),
        "arguments": called.get("arguments"),
        "result": called.get("error") if failed else called.get("result"),
        "status": "error" if failed else "completed",
        "duration_ms": durations.get(call_id),
    }


def _usage(run: Run) -> JsonObject:
    spent = run.usage or {}
    return {name: _whole(spent.get(name)) for name in ("input_tokens", "output_tokens")}


def _whole(number: Json) -> int:
    return int(number) if isinstance(number, int | float) else 0


def _failure(run: Run) -> JsonObject | None:
    if run.status is RunStatus.SUCCEEDED:
        return None
    if run.status is RunStatus.CANCELLED:
        return {"type": "api_error", "message": "The execution was cancelled."}
    if run.error is not None:
        kind = _FAILURES.get(run.error.code, "api_error")
        return {"type": kind, "message": run.error.message}
    why = "It waits for a human" if run.status is RunStatus.WAITING else "It is not finished yet"
    return {"type": "timeout_error", "message": f"{why}; the execution goes on."}


def _seconds(instant: Instant) -> int:
    return instant // SECOND


def _duration(run: Run, waited: float) -> float:
    if run.settled_at is None:
        return round(waited, 3)
    return round((run.settled_at - run.stored_at) / SECOND, 3)
