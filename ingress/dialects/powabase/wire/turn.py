"""What every view of a turn shares: how it ended, what it cost, how it was thought out."""

from shared.clock import SECOND
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Message, plain_text
from shared.domain.run import Run, RunStatus
from shared.domain.turn import Turn

STATUSES = {
    RunStatus.QUEUED: "pending",
    RunStatus.RUNNING: "running",
    RunStatus.WAITING: "running",
    RunStatus.SUCCEEDED: "completed",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "failed",
}
CANCELLED = "cancelled"
DEFAULT_EFFORT = "medium"

_USAGE = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cached_tokens": "cached_tokens",
}


def error_of(run: Run) -> str | None:
    """Say why a run failed; one that was cancelled failed of that."""
    if run.status is RunStatus.CANCELLED:
        return CANCELLED
    return run.error.message if run.error else None


def content_of(run: Run) -> str | None:
    """Return the answer as text, also the part of it that there is."""
    return plain_text(run.output.content) if run.output else None


def usage_of(run: Run) -> JsonObject | None:
    """Print what it cost, as far as it is known."""
    if not run.usage:
        return None
    known = {ours: run.usage[theirs] for ours, theirs in _USAGE.items() if theirs in run.usage}
    spent = [known[name] for name in ("prompt_tokens", "completion_tokens") if name in known]
    if spent:
        known["total_tokens"] = sum(each for each in spent if isinstance(each, int))
    return known


def reasoning_asked(requested: bool | None, settings: JsonObject) -> JsonObject:
    """Return the run's option: what was asked for wins over what the agent always does."""
    effort = settings.get("reasoning_effort")
    if requested is None and effort is None:
        return {}
    wanted = effort is not None if requested is None else requested
    if not wanted:
        return {"reasoning": {"requested": False}}
    return {"reasoning": {"requested": True, "effort": str(effort or DEFAULT_EFFORT)}}


def reasoning_requested(options: JsonObject) -> bool:
    """Tell whether a run was asked to think; by whatever contract."""
    reasoning = options.get("reasoning")
    return isinstance(reasoning, dict) and bool(reasoning.get("requested", True))


def effort_of(run: Run) -> Json:
    """Say how hard it was asked to think."""
    reasoning = run.options.get("reasoning")
    return reasoning.get("effort") if isinstance(reasoning, dict) else None


def reasoning_of(run: Run) -> JsonObject:
    """Print what goes with an answer that was thought out; nothing where nobody asked."""
    said: JsonObject = {}
    if reasoning_requested(run.options):
        said |= {"reasoning_requested": True, "reasoning_duration_ms": _thought_for(run)}
    if run.reasoning:
        artifact: JsonObject = {"provider": "inturn", "summary_text": run.reasoning}
        if effort := effort_of(run):
            artifact["requested_effort"] = effort
        said["reasoning"] = artifact
    return said


def _thought_for(run: Run) -> int | None:
    """Measure from the claim to the answer's first word."""
    if run.claimed_at is None or run.first_token_at is None:
        return None
    return max(0, run.first_token_at - run.claimed_at) * 1000 // SECOND


def steps_of(turn: Turn) -> int:
    """Count: each call of a tool is a step, and so is the answer."""
    return len(turn.tools) + (turn.run.output is not None)


def tool_calls_of(turn: Turn) -> list[Json]:
    """Print the calls of tools, a step each."""
    return [_tool_call(step, message) for step, message in enumerate(turn.tools, start=1)]


def _tool_call(step: int, message: Message) -> JsonObject:
    call = message.tool or {}
    body: JsonObject = {
        "step": step,
        "tool_name": call.get("name"),
        "call_id": call.get("call_id"),
        "arguments": call.get("arguments"),
        "result": call.get("result"),
        "duration_ms": None,
    }
    return body | ({"error": call["error"]} if "error" in call else {})


def reasoning_steps_of(turn: Turn) -> list[Json]:
    """Print what was thought and which tools that led to."""
    steps: list[Json] = []
    for step in range(1, steps_of(turn) + 1):
        body: JsonObject = {"step": step}
        if step == 1 and turn.run.reasoning:
            body["content"] = turn.run.reasoning
        if step <= len(turn.tools):
            body["tool_calls"] = [(turn.tools[step - 1].tool or {}).get("name")]
        if len(body) > 1:
            steps.append(body)
    return steps
