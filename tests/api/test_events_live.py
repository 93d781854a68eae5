"""A worker in this process tells what its agent says, while it says it."""

import json
from collections.abc import AsyncIterator

import pytest
from starlette.types import ASGIApp

from shared.bootstrap import Platform
from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.listener import Heard, listening
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


async def played(service: Caller, *steps: list[object], **more: object) -> str:
    session = await service.ok("POST", "/v1/sessions", {"agent": "scripted"})
    content = json.dumps({"do": steps, **more})
    url = f"/v1/sessions/{session['id']}/messages"
    return str((await service.ok("POST", url, {"content": content}))["run"]["id"])


def text_of(heard: list[Heard], type_: str) -> str:
    return "".join(each.data["text"] for each in heard if each.type == type_)


async def test_what_an_agent_says_is_heard_before_it_has_answered(
    app: ASGIApp, service: Caller
) -> None:
    run = await played(
        service,
        ["emit", "It "],
        ["think", "hm"],
        ["retrieve", [{"id": 1}, {"id": 2, "included_in_context": False}]],
        ["tool", "weather", {"city": "Bonn"}, {"sun": True}],
        ["sleep", 0.25],
        ["emit", "is "],
        ["sleep", 0.25],
        ["emit", "sunny."],
    )
    async with listening(app, service.key, f"/v1/runs/{run}/events") as listener:
        early = await listener.until(events=7)
        assert (await service.ok("GET", f"/v1/runs/{run}"))["status"] == "running"
        assert (await service.ok("GET", f"/v1/runs/{run}"))["receipts"]["first_token_at"]
        heard = await listener.until(end=True)
    assert [each.type for each in early[:7]] == [
        "run.started", "attempt.started", "message.delta", "reasoning.delta", "retrieval",
        "tool.called", "tool.returned",
    ]  # fmt: skip
    assert [each.type for each in heard[7:]] == [
        "message.delta", "message.delta", "message.completed", "run.settled",
    ]  # fmt: skip
    output = heard[-2].data["message"]
    assert text_of(heard, "message.delta") == output["content"] == "It is sunny."
    assert text_of(heard, "reasoning.delta") == "hm"
    deltas = [each.data for each in heard if each.type == "message.delta"]
    assert {delta["message_id"] for delta in deltas} == {output["id"]}
    assert [delta["index"] for delta in deltas] == [0, 1, 2]
    assert {"total": 2, "included": 1}.items() <= heard[4].data.items()
    called, returned = heard[5].data, heard[6].data
    assert (called["name"], called["arguments"]) == ("weather", {"city": "Bonn"})
    assert (returned["call_id"], returned["result"]) == (called["call_id"], {"sun": True})
    instants = [each.data["at"] for each in heard]
    assert instants == sorted(instants)
    page = await service.ok("GET", f"/v1/runs/{run}/events?limit=200")
    assert [Heard(each["id"], each["type"], each["data"]) for each in page["data"]] == heard


async def test_a_cancelled_run_tells_what_it_had_said(app: ASGIApp, service: Caller) -> None:
    run = await played(service, ["emit", "so far"], ["sleep", 60])
    async with listening(app, service.key, f"/v1/runs/{run}/events") as listener:
        await listener.until(events=3)
        await service.ok("POST", f"/v1/runs/{run}/cancel")
        heard = await listener.until(end=True)
    assert text_of(heard, "message.delta") == "so far"
    message, settled = heard[-2].data["message"], heard[-1].data
    assert (message["content"], message["interrupted"]) == ("so far", True)
    assert (settled["status"], settled["error"]) == ("cancelled", None)
