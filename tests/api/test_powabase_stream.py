"""Powabase: a run is heard while a worker in this process performs it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.bootstrap import Platform
from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.powabase import CHUNKS, ECHO, SCRIPTED, script
from workers.runtime import WorkerRuntime


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"scripted_agent": True})


@pytest.fixture(autouse=True)
async def runtime(platform: Platform) -> AsyncIterator[WorkerRuntime]:
    runtime = WorkerRuntime(platform, pools=("default",))
    await runtime.start()
    runtime.consume()
    yield runtime
    await runtime.drain(0.0)
    await runtime.stop()


def parsed(text: str) -> list[dict[str, Any]]:
    """Read a stream in which no event has a name."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks), text
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


async def heard(
    caller: Caller, message: str, agent: str = SCRIPTED, **more: object
) -> list[dict[str, Any]]:
    response = await caller.call("POST", f"{agent}/run/stream", {"message": message, **more})
    assert response.status_code == 200, response.text
    return parsed(response.text)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [each["event"] for each in events]


async def test_a_plain_answer(service: Caller) -> None:
    response = await service.call("POST", f"{ECHO}/run/stream", {"message": "hello"})
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    events = parsed(response.text)
    assert kinds(events) == [
        "start", "step_started", "content_delta", "step_completed", "chunk", "complete",
    ]  # fmt: skip
    start, *_, chunk, complete = events
    assert start == {
        "event": "start", "run_id": complete["run_id"], "session_id": complete["session_id"],
        "context_handler_id": None, "reasoning_requested": False,
    }  # fmt: skip
    assert chunk["content"] == complete["content"] == "hello"
    assert (complete["status"], complete["error"], complete["is_new_session"]) == (
        "completed", None, True,
    )  # fmt: skip
    assert (complete["steps"], complete["tool_calls"], complete["usage"]) == (1, [], None)


async def test_what_an_agent_does_is_told_step_by_step(service: Caller) -> None:
    events = await heard(
        service,
        script(
            ["think", "hm"],
            ["emit", "Let me look. "],
            ["retrieve", CHUNKS],
            ["tool", "weather", {"city": "Bonn"}, {"sun": True}],
            ["tool", "pollen", None, "low"],
            ["emit", "Sunny."],
            ["cite", ["k2"]],
            reply=None,
        ),
        reasoning_requested=True,
    )
    assert kinds(events) == [
        "start", "step_started", "reasoning_delta", "content_delta", "tool_call", "tool_result",
        "step_completed", "step_started", "tool_call", "tool_result",
        "step_completed", "step_started", "content_delta", "reasoning", "step_completed",
        "chunk", "complete",
    ]  # fmt: skip
    assert events[0]["reasoning_requested"] is True
    assert events[2] == {
        "event": "reasoning_delta", "delta": "hm", "step": 1, "source": "thinking",
    }  # fmt: skip
    assert events[3]["delta"] == "Let me look. "
    assert events[4] == {
        "event": "tool_call", "step": 1, "tool_name": "weather", "call_id": "tool_3",
        "arguments": {"city": "Bonn"},
    }  # fmt: skip
    result = events[5]
    assert (result["result"], result["result_preview"]) == ({"sun": True}, '{"sun":true}')
    assert (result["tool_name"], result["step"], result["call_id"]) == ("weather", 1, "tool_3")
    assert isinstance(result["duration_ms"], int)
    assert (events[6]["finish_reason"], events[6]["has_tool_calls"]) == ("tool_calls", True)
    assert [each["step"] for each in events if each["event"] == "step_started"] == [1, 2, 3]
    assert (events[13]["content"], events[13]["step"]) == ("hm", 3)
    assert (events[14]["finish_reason"], events[14]["has_tool_calls"]) == ("stop", False)
    complete = events[-1]
    assert complete["content"] == events[-2]["content"] == "Let me look. Sunny."
    assert [each["tool_name"] for each in complete["tool_calls"]] == ["weather", "pollen"]
    assert (complete["steps"], complete["retrieved_items"]) == (3, 2)
    assert [each["key"] for each in complete["citations"]] == ["1"]


async def test_a_run_that_failed_says_why_and_then_completes(service: Caller) -> None:
    *_, error, complete = await heard(service, "no script")
    assert (error["event"], complete["event"]) == ("error", "complete")
    assert error["error"] == error["message"] == complete["error"]
    assert error["run_id"] == complete["run_id"]
    assert (complete["status"], complete["content"]) == ("failed", None)


async def test_the_same_key_hears_the_same_run(service: Caller) -> None:
    body, key = {"message": "once"}, {"Idempotency_Key": "k-2"}
    url = f"{ECHO}/run/stream"
    first = await service.call("POST", url, body, **key)
    again = await service.call("POST", url, body, **key)
    assert again.headers["idempotent-replayed"] == "true"
    assert parsed(again.text) == parsed(first.text)
