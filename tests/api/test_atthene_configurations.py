"""Atthene: sessions that bring their agent along, in JSON and in YAML."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.bootstrap import Platform
from shared.domain.agent import AgentKind
from shared.domain.configuration import Configuration
from shared.ids import new_id, parse
from shared.settings import Settings
from tests.api.atthene import SESSIONS, executed
from tests.api.caller import Caller, Json, broken_promises
from tests.api.estate import rows, statements

ONE = {
    "name": "Support",
    "agent_type": "echo",
    "system_prompt": "You are kind.",
    "llm_config": {"model": "small", "temperature": 0.2},
    "tools": [],
}
ONE_AS_YAML = """
# The same
name: Support
tools: []
llm_config:
  temperature: 0.2
  model: small
agent_type: echo
system_prompt: >-
  You are
  kind.
"""
GRAPH: Json = {
    "name": "Desk",
    "description": "Two who listen",
    "save_messages": True,
    "persistent_state": True,
    "agents": [
        {
            "name": "triage",
            "agent_type": "llm_agent",
            "description": "Sorts",
            "prompt_config": {"system_prompt": "Sort."},
            "llm_config": {"model": "small"},
            "knowledge_bases": ["kb_1", {"id": "kb_2", "top_k": 3}],
            "streaming_config": {"show_output_to_user": False},
        },
        {"name": "writer", "tools": ["search", {"name": "mail", "from": "desk"}]},
    ],
    "edges": [{"from": "triage", "to": "writer"}],
    "entry_point": "triage",
}


@pytest.fixture(params=["application/yaml", "application/x-yaml", "text/yaml; charset=utf-8"])
def yaml_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def send(caller: Caller, body: str | bytes, media_type: str) -> httpx.Response:
    headers = {"x-api-key": caller.key, "content-type": media_type}
    response = await caller.http.post(SESSIONS, content=body, headers=headers)
    assert broken_promises(response) == []
    return response


def mine(name: str = "Own") -> dict[str, Any]:
    """A configuration that nobody has had."""
    return {"name": name, "agent_type": "echo", "mark": new_id().hex}


async def agents_of(settings: Settings) -> int:
    return (await rows(settings))["agents"]


async def test_a_session_keeps_what_it_was_made_with(service: Caller) -> None:
    made = await service.call("POST", SESSIONS, ONE)
    assert made.status_code == 201
    body = made.json()
    assert body.keys() == {"success", "session_id", "config_hash"}
    read = await service.ok("GET", f"{SESSIONS}{body['session_id']}/")
    assert read["agent_config"] == ONE
    assert read["config_hash"] == body["config_hash"]
    assert (await service.ok("GET", SESSIONS))["sessions"][0]["config_hash"] == body["config_hash"]


async def test_yaml_says_what_json_says(service: Caller, yaml_type: str) -> None:
    made = await send(service, ONE_AS_YAML, yaml_type)
    assert made.status_code == 201
    again = await service.ok("POST", SESSIONS, ONE)
    assert again["config_hash"] == made.json()["config_hash"]


async def test_its_agent_answers(service: Caller, platform: Platform) -> None:
    made = await service.ok("POST", SESSIONS, mine())
    response = await executed(service, platform, made["session_id"])
    assert response.json()["response"]["content"] == "yes"


async def test_the_agent_is_made_once_and_found_by_nobody(
    service: Caller, admin: Caller, platform: Platform, settings: Settings
) -> None:
    config = mine(f"Hidden {new_id()}")
    listed = (await admin.ok("GET", "/v1/agents?limit=200"))["data"]
    first = await service.ok("POST", SESSIONS, config)
    agents = await agents_of(settings)
    second = await service.ok("POST", SESSIONS, config)
    assert await agents_of(settings) == agents
    one, two = [
        await service.ok("GET", f"/v1/sessions/{each['session_id']}") for each in (first, second)
    ]
    assert one["agent_id"] == two["agent_id"]
    assert one["agent"] == f"{config['name']} ({first['config_hash'][:12]})"
    known = (await admin.ok("GET", "/v1/agents?limit=200"))["data"]
    assert [each["id"] for each in known] == [each["id"] for each in listed]
    for name in (one["agent"], one["agent_id"]):
        assert await admin.refused("GET", f"/v1/agents/{name}") == "404 not_found"
        assert await admin.refused("DELETE", f"/v1/agents/{name}") == "404 not_found"
        change = {"system_prompt": "x"}
        assert await admin.refused("PATCH", f"/v1/agents/{name}", change) == "404 not_found"
        assert await service.refused("POST", "/v1/sessions", {"agent": name}) == "404 not_found"
        url = f"{SESSIONS}from-agent/{name}/"
        assert await service.refused("POST", url) == "404 not_found_error"
    dashed = str(parse("agent", one["agent_id"]))
    for method, url, body in (
        ("GET", f"/api/agents/{dashed}", None),
        ("DELETE", f"/api/agents/{dashed}", None),
        ("POST", f"/api/agents/{dashed}/sessions", {}),
        ("POST", f"/api/agents/{dashed}/run", {"message": "hi"}),
        ("POST", "/api/messaging/sessions", {"agentId": dashed, "userId": str(new_id())}),
        ("GET", f"{SESSIONS}from-agent/?agent_key={dashed}", None),
    ):
        assert (await admin.call(method, url, body)).status_code == 404, url
    assert one["agent"] not in str(await admin.ok("GET", "/api/agents?limit=100"))
    assert await platform.agents.find(one["agent"]) is None


async def test_its_name_is_free(service: Caller, admin: Caller) -> None:
    made = await service.ok("POST", SESSIONS, mine())
    session = await service.ok("GET", f"/v1/sessions/{made['session_id']}")
    agent = await admin.ok("POST", "/v1/agents", {"name": session["agent"], "kind": "echo"})
    assert agent["id"] != session["agent_id"]
    other = await service.ok("POST", "/v1/sessions", {"agent": session["agent"]})
    assert other["agent_id"] == agent["id"]
    await admin.ok("DELETE", f"/v1/agents/{agent['id']}")
    assert (await service.ok("GET", f"/v1/sessions/{made['session_id']}"))["id"]


async def test_sessions_of_one_configuration_at_the_same_moment(
    service: Caller, settings: Settings
) -> None:
    agents, config = await agents_of(settings), mine()
    made = await asyncio.gather(*(service.ok("POST", SESSIONS, config) for _ in range(8)))
    assert len({each["session_id"] for each in made}) == 8
    assert await agents_of(settings) == agents + 1


async def test_a_session_that_goes_on_has_the_same_agent(service: Caller) -> None:
    config = mine()
    made = await service.ok("POST", SESSIONS, config)
    on = await service.ok("POST", "/v1/sessions", {"continue_from": made["session_id"]})
    read = await service.ok("GET", f"{SESSIONS}{on['id']}/")
    assert read["agent_config"] == config
    assert read["config_hash"] == made["config_hash"]


async def test_a_graph_is_one_agent(
    service: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Configuration] = []
    opens = platform.configurations.open_once

    async def watched(*args: Any) -> Any:  # noqa: ANN401  (passed on)
        seen.append(args[1])
        return await opens(*args)

    monkeypatch.setattr(platform.configurations, "open_once", watched)
    made = await service.ok("POST", SESSIONS, GRAPH)
    read = await service.ok("GET", f"{SESSIONS}{made['session_id']}/")
    assert read["agent_config"] == GRAPH
    spec = seen[0].spec
    assert spec.kind is AgentKind.LLM
    stages = spec.settings["chain"]
    assert isinstance(stages, list)
    triage, writer = stages
    assert triage == {
        "name": "triage",
        "kind": "llm",
        "model": "small",
        "system_prompt": "Sort.",
        "settings": {},
        "knowledge_bases": [{"id": "kb_1", "top_k": 5}, {"id": "kb_2", "top_k": 3}],
        "tools": [],
    }
    assert isinstance(writer, dict)
    assert writer["tools"] == [
        {"name": "search", "settings": {}},
        {"name": "mail", "settings": {"from": "desk"}},
    ]


async def test_what_was_brought_along_is_not_read_to_list_it(
    service: Caller, platform: Platform
) -> None:
    session = (await service.ok("POST", SESSIONS, ONE))["session_id"]
    with statements(platform) as heard:
        await service.ok("GET", SESSIONS)
        await service.ok("GET", f"/api/v1/runtime/{session}/status/")
    assert heard
    assert not [each for each in heard if "system_prompt" in each or "sessions.config," in each]
