"""ElizaOS: three ways to be answered, while a worker in this process answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from ingress.dialects.elizaos.wire.stream import LEFT
from shared.bootstrap import Platform
from shared.domain.agent import agent_id_of
from shared.domain.errors import Unavailable
from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.eliza import Body, at, opened, problem, sent
from tests.api.listener import listening
from workers.runtime import WorkerRuntime

SCRIPTED = str(agent_id_of("scripted"))
Heard = tuple[str, dict[str, Any]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"scripted_agent": True})


@pytest.fixture
async def runtime(platform: Platform) -> AsyncIterator[WorkerRuntime]:
    runtime = WorkerRuntime(platform, pools=("default",))
    await runtime.start()
    runtime.consume()
    yield runtime
    await runtime.drain(0.0)
    await runtime.stop()


def script(*steps: list[object], **more: object) -> str:
    return json.dumps({"do": steps, **more})


async def asked(caller: Caller, session: Body, content: str, **more: str) -> httpx.Response:
    body = {"content": content, "transport": "http"}
    return await caller.call("POST", f"{at(session)}/messages", body, **more)


async def heard(caller: Caller, session: Body, content: str, **more: str) -> list[Heard]:
    body = {"content": content, "transport": "sse"}
    response = await caller.call("POST", f"{at(session)}/messages", body, **more)
    assert response.status_code == 200, response.text
    return parsed(response.text)


def parsed(text: str) -> list[Heard]:
    """Read a stream in which every event has a name, and nothing else."""
    events: list[Heard] = []
    for block in text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


@pytest.mark.usefixtures("runtime")
async def test_an_answer_comes_with_the_response(service: Caller) -> None:
    session = await opened(service, agentId=SCRIPTED)
    response = await asked(service, session, script(["think", "hm"], ["emit", "It is sunny."]))
    assert response.status_code == 201
    body = response.json()
    assert body["agentResponse"] == {"text": "It is sunny.", "thought": "hm"}
    assert body["data"] == {
        "success": True,
        "userMessage": body["userMessage"],
        "sessionStatus": body["sessionStatus"],
        "agentResponse": body["agentResponse"],
    }
    [answer, _] = (await service.ok("GET", f"{at(session)}/messages"))["messages"]
    assert (answer["content"], answer["metadata"]) == ("It is sunny.", {"thought": "hm"})


@pytest.mark.usefixtures("runtime")
async def test_older_clients_ask_by_mode(service: Caller) -> None:
    session = await opened(service)
    for more in ({"mode": "sync"}, {"transport": "sync"}):
        body = await sent(service, session, "hi", **more)
        assert body["agentResponse"] == {"text": "hi"}
    for more in ({"mode": "websocket"}, {"transport": "websocket", "mode": "sync"}, {}):
        assert "agentResponse" not in await sent(service, session, "hi", **more)
    url = f"{at(session)}/messages"
    stream = await service.call("POST", url, {"content": "hi", "mode": "stream"})
    assert stream.headers["content-type"] == "text/event-stream"


@pytest.mark.usefixtures("runtime")
async def test_an_agent_that_fails_is_an_error_of_sending(service: Caller) -> None:
    session = await opened(service, agentId=SCRIPTED)
    response = await asked(service, session, "no script")
    assert response.status_code == 500
    error = problem(response)
    assert error["code"] == "MESSAGE_SEND_FAILED"
    reason = error["details"]["originalError"]
    assert "the content is not JSON" in reason
    assert error["message"] == (
        f"Failed to send message in session '{session['sessionId']}': {reason}"
    )
    assert len((await service.ok("GET", f"{at(session)}/messages"))["messages"]) == 1


@pytest.mark.usefixtures("runtime")
async def test_an_agent_that_asks_a_human_answers_later(service: Caller) -> None:
    session = await opened(service, agentId=SCRIPTED)
    response = await asked(service, session, script(["approve", "rm"], ["emit", "done"]))
    assert response.status_code == 201
    assert "agentResponse" not in response.json()


async def test_who_waits_long_enough_is_told_what_was_stored(
    service: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    wait = platform.runs.wait

    async def hasty(*args: Any, seconds: float) -> Any:  # noqa: ANN401
        waits.append(seconds)
        return await wait(*args, seconds=0)

    async def away(*_: Any, **__: Any) -> None:  # noqa: ANN401
        raise Unavailable("The database is away.")

    session = await opened(service)
    monkeypatch.setattr(platform.runs, "wait", hasty)
    response = await asked(service, session, "hi")
    assert (response.status_code, waits) == (201, [25.0])
    monkeypatch.setattr(platform.runs, "wait", away)
    assert (await asked(service, session, "hi")).status_code == 201
    assert len((await service.ok("GET", f"{at(session)}/messages"))["messages"]) == 2


@pytest.mark.usefixtures("runtime")
async def test_an_answer_is_streamed(service: Caller) -> None:
    session = await opened(service, agentId=SCRIPTED, metadata={"platform": "web"})
    url = f"{at(session)}/messages"
    content = script(["emit", "It "], ["sleep", 0.25], ["emit", "is."], ["think", "hm"])
    response = await service.call("POST", url, {"content": content, "transport": "sse"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert response.text.startswith("event: user_message\ndata: {")
    (first, message), *chunks, done = parsed(response.text)
    listed = (await service.ok("GET", url))["messages"]
    assert first == "user_message"
    assert message["metadata"]["platform"] == "web"
    assert (message["id"], message["content"]) == (listed[1]["id"], content)
    answer = listed[0]
    assert chunks == [
        ("chunk", {"messageId": answer["id"], "chunk": "It ", "index": 0}),
        ("chunk", {"messageId": answer["id"], "chunk": "is.", "index": 1}),
    ]
    assert done == ("done", {"text": "It is.", "thought": "hm"})
    assert "sessionStatus" not in response.text


@pytest.mark.usefixtures("runtime")
async def test_a_stream_says_things_when_they_happen(app: ASGIApp, service: Caller) -> None:
    session = await opened(service, agentId=SCRIPTED)
    url = f"{at(session)}/messages"
    content = script(["emit", "so far"], ["sleep", 60])
    body = json.dumps({"content": content, "transport": "sse"}).encode()
    async with listening(app, service.key, url, body) as listener:
        early = await listener.until_said("event: chunk")
        assert [name for name, _ in parsed(early)] == ["user_message", "chunk"]
        native = f"/v1/sessions/{session['sessionId']}"
        assert (await service.ok("GET", native))["status"] == "running"
        await service.ok("DELETE", native)
        said = await listener.until_said("event: error")
    assert parsed(said)[2:] == [("error", {"error": LEFT})]


@pytest.mark.usefixtures("runtime")
async def test_an_attempt_that_is_repeated_says_nothing_twice(
    admin: Caller, service: Caller, platform: Platform, tenant: str
) -> None:
    retry = {"base_seconds": 0.01, "max_seconds": 0.01}
    new = {"name": f"again-{tenant}", "kind": "scripted", "retry": retry}
    agent = (await admin.ok("POST", "/v1/agents", new))["id"]
    session = await opened(service, agentId=agent)
    steps: list[list[object]] = [["emit", "It "], ["fail_times", 1], ["emit", "is."]]
    hearing = asyncio.create_task(heard(service, session, script(*steps)))
    while not hearing.done():
        await platform.upkeep.sweep()  # finds what is due again
    _, *chunks, done = hearing.result()
    await admin.ok("DELETE", f"/v1/agents/{agent}")
    assert [(data["index"], data["chunk"]) for _, data in chunks] == [(0, "It "), (1, "is.")]
    assert done == ("done", {"text": "It is."})


@pytest.mark.usefixtures("runtime")
async def test_what_goes_wrong_is_told_in_the_stream_or_before_it(service: Caller) -> None:
    session = await opened(service, agentId=SCRIPTED)
    said = await heard(service, session, script(["emit", "so far"], ["sleep", 0.2]) + "x")
    assert [name for name, _ in said] == ["user_message", "error"]
    assert said[-1][1].keys() == {"error"}
    url = f"{at(session)}/messages"
    body = {"content": "", "transport": "sse"}
    assert await service.refused("POST", url, body) == "400 VALIDATION_ERROR"
    await service.ok("DELETE", at(session))
    assert await service.refused("POST", url, body) == "404 SESSION_NOT_FOUND"


async def test_a_cancelled_run_is_told_as_one(service: Caller) -> None:
    session = await opened(service)

    async def cancel() -> None:
        url = f"/v1/sessions/{session['sessionId']}/runs"
        while not (listed := (await service.ok("GET", url))["data"]):
            pass
        await service.ok("POST", f"/v1/runs/{listed[-1]['id']}/cancel")

    response, _ = await asyncio.gather(asked(service, session, "hi"), cancel())
    assert response.status_code == 500
    assert problem(response)["details"] == {"originalError": "The run was cancelled."}
    session = await opened(service)
    said, _ = await asyncio.gather(heard(service, session, "hi"), cancel())
    assert said[-1] == ("error", {"error": "The run was cancelled."})


@pytest.mark.usefixtures("runtime")
async def test_the_same_key_is_answered_alike_in_each_way(service: Caller) -> None:
    session = await opened(service)
    once = await asked(service, session, "hi", Idempotency_Key="http")
    again = await asked(service, session, "hi", Idempotency_Key="http")
    assert (again.status_code, again.json()) == (201, once.json())
    assert again.headers["idempotent-replayed"] == "true"
    first = await heard(service, session, "ho", Idempotency_Key="sse")
    assert [name for name, _ in first] == ["user_message", "chunk", "done"]
    assert await heard(service, session, "ho", Idempotency_Key="sse") == first
    url = f"{at(session)}/messages"
    assert len((await service.ok("GET", url))["messages"]) == 4
    other = {"content": "other", "transport": "http"}
    expected = "400 VALIDATION_ERROR"
    assert await service.refused("POST", url, other, Idempotency_Key="http") == expected
    failing = await opened(service, agentId=SCRIPTED)
    for _ in range(2):
        response = await asked(service, failing, "no script", Idempotency_Key="failing")
        assert response.status_code == 500
    assert len((await service.ok("GET", f"{at(failing)}/messages"))["messages"]) == 1
