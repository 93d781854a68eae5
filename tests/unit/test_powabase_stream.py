"""Our events in Powabase's words, whatever their order."""

from typing import Any

from ingress.dialects.powabase.wire.stream import Telling
from shared.clock import Instant
from shared.domain.event import Event, EventType, Position
from shared.domain.jsontypes import JsonObject
from shared.ids import RunId, SessionId, new_id

RUN, SESSION = RunId(new_id()), SessionId(new_id())
STARTED: tuple[EventType, JsonObject] = (EventType.ATTEMPT_STARTED, {"attempt": 1})


def delta(text: str) -> tuple[EventType, JsonObject]:
    return EventType.MESSAGE_DELTA, {"message_id": "0" * 32, "index": 0, "text": text}


def called(call_id: str) -> tuple[EventType, JsonObject]:
    return EventType.TOOL_CALLED, {"call_id": call_id, "name": f"tool {call_id}", "arguments": 1}


def returned(call_id: str, **said: Any) -> tuple[EventType, JsonObject]:  # noqa: ANN401
    return EventType.TOOL_RETURNED, {"call_id": call_id, "duration_ms": 3, **said}


def told(*said: tuple[EventType, JsonObject]) -> list[JsonObject]:
    telling = Telling()
    events = [
        Event(
            position=Position(1, number),
            type=type_,
            run_id=RUN,
            session_id=SESSION,
            correlation_id="c",
            at=Instant(number),
            data=data,
        )
        for number, (type_, data) in enumerate(said, start=1)
    ]
    return [body for event in events for body in telling.tell(event)]


def kinds(bodies: list[JsonObject]) -> list[object]:
    return [
        f"{each['event']} {each['step']}" if "step" in each else each["event"] for each in bodies
    ]


def test_a_new_attempt_takes_back_what_was_said() -> None:
    assert kinds(told(STARTED, delta("Well"), STARTED, delta("No"))) == [
        "step_started 1", "content_delta", "step_reset 1", "step_started 1", "content_delta",
    ]  # fmt: skip
    assert kinds(told(STARTED, called("a"), returned("a"), delta("x"), STARTED)) == [
        "step_started 1", "tool_call 1", "tool_result 1", "step_completed 1",
        "step_started 2", "content_delta", "step_reset 2", "step_started 1",
    ]  # fmt: skip


def test_an_attempt_after_one_that_said_nothing_takes_nothing_back() -> None:
    assert kinds(told(STARTED, STARTED, delta("x"))) == ["step_started 1", "content_delta"]


def test_calls_at_once_are_one_step() -> None:
    bodies = told(
        STARTED, called("a"), called("b"), returned("b", result=[1]), returned("a", error="no"),
        delta("x"),
    )  # fmt: skip
    assert kinds(bodies) == [
        "step_started 1", "tool_call 1", "tool_call 1", "tool_result 1", "tool_result 1",
        "step_completed 1", "step_started 2", "content_delta",
    ]  # fmt: skip
    assert (bodies[3]["tool_name"], bodies[3]["result_preview"]) == ("tool b", "[1]")
    assert (bodies[4]["error"], bodies[4]["result_preview"]) == ("no", "no")
    assert "error" not in bodies[3]


def test_a_preview_is_short() -> None:
    *_, result = told(STARTED, called("a"), returned("a", result="x" * 501))
    assert result["result_preview"] == "x" * 500
    assert result["result"] == "x" * 501
