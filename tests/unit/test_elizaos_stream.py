"""A run told to clients that know chunks and one end: joined, the chunks are never wrong twice."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from ingress.dialects.elizaos.wire.stream import CANCELLED, FAILED, LEFT, Telling
from ingress.sse import Frame
from shared.clock import Instant
from shared.domain.event import Event, EventType, Position
from shared.domain.message import Message, Role
from shared.domain.run import Run, RunError, RunStatus
from shared.ids import AgentId, MessageId, RunId, SessionId, new_id

RUN, SESSION, ANSWER = RunId(new_id()), SessionId(new_id()), MessageId(new_id())
Said = tuple[str, dict[str, Any]]

START: tuple[EventType, dict[str, Any]] = (EventType.ATTEMPT_STARTED, {"attempt": 1})
SUCCESS: tuple[EventType, dict[str, Any]] = (
    EventType.RUN_SETTLED,
    {"status": "succeeded", "error": None},
)


def delta(text: str) -> tuple[EventType, dict[str, Any]]:
    return EventType.MESSAGE_DELTA, {"message_id": ANSWER.hex, "index": 0, "text": text}


def completed(text: str, reasoning: str | None = None) -> Event:
    return event(EventType.MESSAGE_COMPLETED, {}, answer(text, reasoning))


def answer(text: str, reasoning: str | None = None) -> Message:
    return Message(
        id=ANSWER, session_id=SESSION, seq=2, run_id=RUN, role=Role.ASSISTANT, content=text,
        author_id=None, metadata={}, correlation_id="c", created_at=Instant(0),
        reasoning=reasoning,
    )  # fmt: skip


def event(type_: EventType, data: dict[str, Any], message: Message | None = None) -> Event:
    return Event(
        position=Position(1, 1), type=type_, run_id=RUN, session_id=SESSION,
        correlation_id="c", at=Instant(0), data=data, message=message,
    )  # fmt: skip


def run(status: RunStatus, output: Message | None = None, error: RunError | None = None) -> Run:
    return Run(
        id=RUN, session_id=SESSION, agent_id=AgentId(new_id()), agent="a", pool="default",
        status=status, seq=1, message_ids=(), output=output, error=error, max_attempts=3,
        correlation_id="c", priority=0, stored_at=Instant(0),
    )  # fmt: skip


def told(frames: Iterable[Frame]) -> list[Said]:
    return [(str(each.event), orjson.loads(each.data)) for each in frames]


def heard(*said: tuple[EventType, dict[str, Any]] | Event) -> list[Said]:
    events = [each if isinstance(each, Event) else event(*each) for each in said]
    return told(Telling().frames(events))


def chunks(said: list[Said]) -> list[str]:
    found = [data for name, data in said if name == "chunk"]
    assert [each["index"] for each in found] == list(range(len(found)))
    assert {each["messageId"] for each in found} <= {str(ANSWER)}
    return [each["chunk"] for each in found]


def test_an_answer_comes_in_chunks_and_then_whole() -> None:
    said = heard(START, delta("It is "), delta("sunny."), completed("It is sunny.", "hm"), SUCCESS)
    assert [name for name, _ in said] == ["chunk", "chunk", "done"]
    assert chunks(said) == ["It is ", "sunny."]
    assert said[-1] == ("done", {"text": "It is sunny.", "thought": "hm"})


def test_an_agent_that_says_it_all_at_once_is_one_chunk() -> None:
    said = heard(START, completed("yes"), SUCCESS)
    assert [name for name, _ in said] == ["chunk", "done"]
    assert chunks(said) == ["yes"]
    assert heard(START, completed(""), SUCCESS) == [("done", {"text": ""})]


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        (["It is ", "sunny."], ["It ", "is ", "sunny."]),
        (["It", " is sunny."], ["It ", "is sunny."]),
        (["It is sunny."], ["It ", "is sunny."]),
        ([], ["It ", "is sunny."]),
    ],
)
def test_what_a_later_attempt_says_again_is_not_sent_again(
    again: list[str], expected: list[str]
) -> None:
    said = heard(START, delta("It "), START, *map(delta, again), completed("It is sunny."), SUCCESS)
    assert chunks(said) == expected
    assert said[-1] == ("done", {"text": "It is sunny."})


def test_an_attempt_with_other_words_is_told_at_the_end() -> None:
    said = heard(START, delta("Rain"), START, delta("Su"), delta("n."), completed("Sun."), SUCCESS)
    assert chunks(said) == ["Rain"]
    assert said[-1] == ("done", {"text": "Sun."})


def test_an_answer_that_is_not_what_was_said_is_told_at_the_end() -> None:
    said = heard(START, delta("working"), completed("42"), SUCCESS)
    assert chunks(said) == ["working"]
    assert said[-1] == ("done", {"text": "42"})


def test_a_failure_is_an_error_and_the_end() -> None:
    error = {"code": "agent_error", "message": "no luck", "retryable": False}
    assert heard(START, (EventType.RUN_SETTLED, {"status": "failed", "error": error})) == [
        ("error", {"error": "no luck"})
    ]
    assert heard((EventType.RUN_SETTLED, {"status": "failed", "error": None})) == [
        ("error", {"error": FAILED})
    ]
    cancelled = (EventType.RUN_SETTLED, {"status": "cancelled", "error": None})
    assert heard(START, delta("a"), completed("a"), cancelled)[1:] == [
        ("error", {"error": CANCELLED})
    ]


def test_a_run_that_no_event_ended_is_told_as_it_is() -> None:
    def ending(of: Run | None) -> list[Said]:
        telling = Telling()
        assert not telling.over
        said = told(telling.ending(of))
        assert telling.over
        return said

    assert ending(None) == ending(run(RunStatus.RUNNING)) == [("error", {"error": LEFT})]
    done = ending(run(RunStatus.SUCCEEDED, answer("yes", "hm")))
    assert (chunks(done), done[-1]) == (["yes"], ("done", {"text": "yes", "thought": "hm"}))
    failed = run(RunStatus.FAILED, error=RunError(code="x", message="no luck"))
    assert ending(failed) == [("error", {"error": "no luck"})]
