"""Powabase: an agent is asked and its answer waited for; a worker in this process performs."""

from collections.abc import AsyncIterator

import pytest

from shared.bootstrap import Platform
from shared.settings import Settings
from tests.api.caller import Caller, Json
from tests.api.powabase import CHUNKS, ECHO, SCRIPTED, asked, script
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


async def test_a_run_without_a_session_begins_one(service: Caller) -> None:
    first = await asked(service, "hello", ECHO)
    assert (first["content"], first["status"], first["error"]) == ("hello", "completed", None)
    assert (first["is_new_session"], first["context_handler_id"]) == (True, None)
    assert (first["retrieved_items"], first["usage"]) == (0, None)
    again = await asked(service, "and?", ECHO, session_id=first["session_id"])
    assert (again["content"], again["is_new_session"]) == ("and?", False)
    assert again["session_id"] == first["session_id"]
    found = await service.ok("GET", f"/api/sessions/{first['session_id']}/messages")
    assert [(each["role"], each["content"]) for each in found["messages"]] == [
        ("user", "hello"), ("assistant", "hello"), ("user", "and?"), ("assistant", "and?"),
    ]  # fmt: skip


async def test_an_answer_has_its_context_citations_usage_and_tools(service: Caller) -> None:
    said = await asked(
        service,
        script(
            ["retrieve", CHUNKS],
            ["tool", "weather", {"city": "Bonn"}, {"sun": True}],
            ["cite", ["k2"]],
            ["usage", {"input_tokens": 7, "output_tokens": 2, "cached_tokens": 3, "cost": 1}],
        ),
    )
    assert said["usage"] == {
        "prompt_tokens": 7, "completion_tokens": 2, "cached_tokens": 3, "total_tokens": 9,
    }  # fmt: skip
    assert said["retrieved_items"] == 2
    citation: Json = {
        "key": "1", "item_id": "k2", "source_id": None, "source_name": None,
        "text_excerpt": "Mainz, too.", "meta": {},
    }  # fmt: skip
    assert said["citations"] == [citation]
    session, run = f"/api/sessions/{said['session_id']}", said["run_id"]
    answer = (await service.ok("GET", f"{session}/messages"))["messages"][-1]
    assert answer["citations"] == [citation]
    context = await service.ok("GET", f"{session}/runs/{run}/retrieved-context")
    assert (context["session_id"], context["run_id"]) == (said["session_id"], run)
    assert answer["retrieved_context"] == context["retrieved_context"]
    diagnostics, first, second = context["retrieved_context"]
    assert diagnostics == {
        "_type": "retrieval_diagnostics",
        "total_items": 2, "items_included": 1, "items_dropped": 1,
    }  # fmt: skip
    assert (first["id"], first["score"]) == ("0198c0de-5e55-7c0d-e000-0000c0ffee01", 0.84)
    assert (first["included_in_context"], first["_type"]) == (True, "text_embedding_chunk")
    assert (second["id"], second["included_in_context"], second["colour"]) == ("k2", False, "red")
    whole = await service.ok("GET", f"/api/agents/runs/{run}")
    assert whole["retrieved_context"] == context["retrieved_context"]
    [listed] = (await service.ok("GET", f"{session}/runs"))["runs"]
    assert listed["citations"] == [citation]
    assert "retrieved_context" not in listed
    assert listed["tool_calls"] == whole["tool_calls"] == [
        {
            "step": 1, "tool_name": "weather", "call_id": "tool_1", "duration_ms": None,
            "arguments": {"city": "Bonn"}, "result": {"sun": True},
        }
    ]  # fmt: skip
    assert (listed["steps"], listed["model"], listed["agent_id"]) == (
        2, None, SCRIPTED.rpartition("/")[2],
    )  # fmt: skip


async def test_calls_of_tools_are_messages_where_they_are_wanted(service: Caller) -> None:
    said = await asked(service, script(["tool", "look", 1, "sky"]))
    url = f"/api/sessions/{said['session_id']}/messages"
    roles = [each["role"] for each in (await service.ok("GET", url))["messages"]]
    assert roles == ["user", "assistant"]
    shown = (await service.ok("GET", f"{url}?include=tools"))["messages"]
    assert [each["role"] for each in shown] == ["user", "tool", "assistant"]
    assert shown[1] == {
        "role": "tool", "content": "sky", "run_id": said["run_id"], "tool_name": "look",
        "call_id": "tool_0", "arguments": 1, "result": "sky", "timestamp": shown[0]["timestamp"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "requested", "effective", "effort"),
    [
        (None, None, False, None),
        ("high", None, True, "high"),
        ("high", False, False, None),
        (None, True, True, "medium"),
        ("low", True, True, "low"),
    ],
)
async def test_reasoning_is_what_the_request_says_else_the_agent(
    service: Caller,
    admin: Caller,
    setting: str | None,
    requested: bool | None,
    effective: bool,
    effort: str | None,
) -> None:
    settings = {"kind": "scripted"} | ({"reasoning_effort": setting} if setting else {})
    made = await admin.ok("POST", "/api/agents", {"name": "thinker", "settings": settings})
    agent = f"/api/agents/{made['id']}"
    said = await asked(service, script(["think", "hm"]), agent, reasoning_requested=requested)
    assert said["reasoning_requested"] is effective
    session = f"/api/sessions/{said['session_id']}"
    answer = (await service.ok("GET", f"{session}/messages"))["messages"][-1]
    [run] = (await service.ok("GET", f"{session}/runs"))["runs"]
    assert (run["reasoning_requested"], run["reasoning_effort"]) == (effective, effort)
    assert run["reasoning_steps"] == [{"step": 1, "content": "hm"}]
    assert answer.get("reasoning_requested", False) is effective
    assert ("reasoning_duration_ms" in answer) is effective
    assert answer["reasoning"]["summary_text"] == "hm"
    assert answer["reasoning"].get("requested_effort") == effort
    [output] = run["output_messages"]
    assert output["reasoning"] == answer["reasoning"]


async def test_a_run_that_failed_is_told_and_is_in_no_conversation(service: Caller) -> None:
    said = await asked(service, "no script")
    assert (said["status"], said["content"]) == ("failed", None)
    assert said["error"].startswith("Bad script")
    session = f"/api/sessions/{said['session_id']}"
    assert (await service.ok("GET", f"{session}/messages"))["messages"] == []
    [run] = (await service.ok("GET", f"{session}/runs"))["runs"]
    assert (run["status"], run["error"], run["output_messages"]) == ("failed", said["error"], [])
    empty = await service.ok("GET", f"{session}/runs/{said['run_id']}/retrieved-context")
    assert empty["retrieved_context"] == []


async def test_who_does_not_wait_long_enough_is_told_where_to_look(service: Caller) -> None:
    body = {"message": script(["approve", "pay", {"euro": 5}]), "timeout_seconds": 300}
    response = await service.call("POST", f"{SCRIPTED}/run", body)
    late = response.json()
    assert response.status_code == 504  # a human may take longer than anybody waits
    assert late.keys() == {"error", "run_id", "session_id"}
    run = await service.ok("GET", f"/api/agents/runs/{late['run_id']}")
    assert (run["status"], run["completed_at"]) == ("running", None)
    url = f"/api/agents/runs/{late['run_id']}/approve"
    assert await service.ok("POST", url, {"approved": True}) == {"status": "resumed"}
    again = await asked(service, script(), session_id=late["session_id"])
    assert again["content"] == "sunny"
    done = await service.ok("GET", f"/api/agents/runs/{late['run_id']}")
    assert (done["status"], done["content"]) == ("completed", "sunny")
    assert done["tool_calls"][0]["arguments"] == {"euro": 5}
    refused = await service.refused("POST", url, {"approved": True})
    assert refused == "404 Run not found or not waiting for approval"


async def test_the_same_key_is_answered_by_the_same_run(service: Caller) -> None:
    body, key = {"message": "once"}, {"Idempotency_Key": "k-1"}
    first = await service.call("POST", f"{ECHO}/run", body, **key)
    again = await service.call("POST", f"{ECHO}/run", body, **key)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await service.refused("POST", f"{ECHO}/run", {"message": "twice"}, **key)
    assert other.startswith("400 ")
    url = f"/api/sessions/{first.json()['session_id']}/runs"
    assert len((await service.ok("GET", url))["runs"]) == 1
