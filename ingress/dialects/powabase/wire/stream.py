"""A run as it is told while it runs: our events in this contract's words.

A step is what happens up to the results of the tools it called; the answer is the last one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from ingress.dialects.powabase.wire.result import from_turn
from ingress.dialects.powabase.wire.turn import STATUSES, steps_of, tool_calls_of
from ingress.sse import Frame
from shared import ids
from shared.domain.event import Event, EventType
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Message, plain_text
from shared.domain.run import Run, RunStatus
from shared.domain.turn import Turn
from shared.ids import RunId, SessionId

MAX_PREVIEW_CHARS = 500
Told = Iterator[JsonObject]


def to_frame(body: JsonObject) -> Frame:
    """Print an event: unnamed, its kind is inside."""
    return Frame(None, None, orjson.dumps(body))


def start(run_id: RunId, session_id: SessionId, *, reasoning: bool) -> JsonObject:
    """Tell first which run and which session this is."""
    return {
        "event": "start",
        "run_id": ids.spell("run", run_id),
        "session_id": ids.spell("sess", session_id),
        "context_handler_id": None,
        "reasoning_requested": reasoning,
    }


def failure(run_id: RunId, why: str) -> JsonObject:
    """Tell what went wrong; in both of the contract's spellings."""
    return {"event": "error", "error": why, "message": why, "run_id": ids.spell("run", run_id)}


def asking(run: Run) -> Told:
    """Tell what a human has to decide."""
    for each in run.approvals:
        if each.approved is None:
            yield {
                "event": "approval_requested",
                "run_id": ids.spell("run", run.id),
                "call_id": each.call_id,
                "tool_name": each.tool,
                "tool_input": each.arguments,
                "message": f"{each.tool} has to be approved",
            }


def ending(turn: Turn, *, is_new_session: bool) -> Told:
    """Tell last what became of the run."""
    result = from_turn(turn, is_new_session=is_new_session)
    if turn.run.status is not RunStatus.SUCCEEDED:
        yield failure(turn.run.id, str(result["error"] or STATUSES[turn.run.status]))
    more: JsonObject = {"steps": steps_of(turn), "tool_calls": tool_calls_of(turn)}
    yield {"event": "complete"} | result | more


@dataclass(slots=True)
class Telling:
    """Where the telling of a run stands."""

    step: int = 0  # none yet
    partial: bool = False  # something was said that a new attempt would void
    called: dict[str, tuple[int, Json]] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    calls_here: bool = False  # in this step

    def tell(self, event: Event) -> Told:
        """Translate an event, but for those that take a look at the run."""
        data = event.data
        match event.type:
            case EventType.ATTEMPT_STARTED:
                yield from self._begin()
            case EventType.MESSAGE_DELTA:
                yield from self._go_on()
                self.partial = True
                delta: JsonObject = {"event": "content_delta", "type": "content_delta"}
                yield delta | {"delta": data["text"]}
            case EventType.REASONING_DELTA:
                yield from self._go_on()
                self.partial = True
                thought: JsonObject = {"event": "reasoning_delta", "delta": data["text"]}
                yield thought | {"step": self.step, "source": "thinking"}
            case EventType.TOOL_CALLED:
                yield from self._call(data)
            case EventType.TOOL_RETURNED:
                yield self._result(data)
            case EventType.MESSAGE_COMPLETED:
                yield from self._answer(event.message)

    def _begin(self) -> Told:
        """Begin a try: what the one before it said counts no more."""
        if self.partial:
            yield {"event": "step_reset", "step": self.step}
        elif self.step:
            return
        self.partial, self.calls_here, self.step = False, False, 0
        self.called.clear()
        self.pending.clear()
        yield self._open()

    def _open(self) -> JsonObject:
        self.step += 1
        self.calls_here = False
        return {"event": "step_started", "step": self.step, "is_last_step": False}

    def _go_on(self) -> Told:
        """Begin the next step, where the tools of this one have answered."""
        if self.calls_here and not self.pending:
            yield self._close("tool_calls")
            yield self._open()

    def _close(self, reason: str) -> JsonObject:
        return {
            "event": "step_completed",
            "step": self.step,
            "finish_reason": reason,
            "has_tool_calls": self.calls_here,
        }

    def _call(self, data: JsonObject) -> Told:
        yield from self._go_on()
        self.partial = self.calls_here = True
        call_id = str(data["call_id"])
        self.called[call_id] = (self.step, data["name"])
        self.pending.add(call_id)
        yield {
            "event": "tool_call",
            "step": self.step,
            "tool_name": data["name"],
            "arguments": data["arguments"],
            "call_id": call_id,
        }

    def _result(self, data: JsonObject) -> JsonObject:
        call_id = str(data["call_id"])
        step, name = self.called.get(call_id, (self.step, None))
        self.pending.discard(call_id)
        returned = data["error"] if "error" in data else data.get("result")
        body: JsonObject = {
            "event": "tool_result",
            "step": step,
            "tool_name": name,
            "call_id": call_id,
            "result": returned,
            "result_preview": _preview(returned),
            "duration_ms": data.get("duration_ms"),
        }
        return body | ({"error": data["error"]} if "error" in data else {})

    def _answer(self, message: Message | None) -> Told:
        if message is None:
            return
        yield from self._go_on()
        if message.reasoning:
            thought: JsonObject = {"event": "reasoning", "step": self.step}
            yield thought | {"content": message.reasoning, "text": message.reasoning}
        yield self._close("stop")
        self.partial = False
        yield {"event": "chunk", "content": plain_text(message.content)}


def _preview(value: Json) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text[:MAX_PREVIEW_CHARS]
