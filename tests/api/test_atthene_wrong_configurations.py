"""Atthene: configurations that are none."""

import json

import pytest

from shared.settings import Settings
from tests.api.atthene import problem
from tests.api.caller import Caller, Json
from tests.api.estate import rows
from tests.api.test_atthene_configurations import ONE, send

A, B = {"name": "a"}, {"name": "b"}
WRONG: dict[str, tuple[Json, str]] = {
    "no object": ([ONE], "object"),
    "no name": ({"agent_type": "echo"}, "name"),
    "empty name": ({"name": ""}, "name"),
    "long name": ({"name": "x" * 201}, "name"),
    "no text": ({"name": "a", "system_prompt": 1}, "system_prompt"),
    "no model": ({"name": "a", "llm_config": {"model": 1}}, "llm_config.model"),
    "no tools": ({"name": "a", "tools": "search"}, "tools"),
    "bad tool": ({"name": "a", "tools": [1]}, "tools.0"),
    "no agents": ({"name": "g", "agents": []}, "agents"),
    "many": ({"name": "g", "agents": [{"name": str(n)} for n in range(51)]}, "agents"),
    "nameless": ({"name": "g", "agents": [{}]}, "agents.0.name"),
    "same name": ({"name": "g", "agents": [A, A], "entry_point": "a"}, "'a'"),
    "unknown": (
        {"name": "g", "agents": [A], "edges": [{"from": "a", "to": "zoe"}]},
        "no agent 'zoe'",
    ),
    "entry": ({"name": "g", "agents": [A], "entry_point": "zoe"}, "no agent 'zoe'"),
    "no entry": ({"name": "g", "agents": [A, B], "edges": [{"from": "a", "to": "b"}]}, "entry"),
    "branch": (
        {
            "name": "g",
            "agents": [A, B, {"name": "c"}],
            "edges": [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}],
            "entry_point": "a",
        },
        "'a' leads to more than one",
    ),
    "cycle": (
        {
            "name": "g",
            "agents": [A, B],
            "edges": [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}],
            "entry_point": "a",
        },
        "'a' is in a cycle",
    ),
    "condition": (
        {"name": "g", "agents": [A], "edges": [{"from": "a", "to": "a", "condition": "x"}]},
        "edges.0.condition",
    ),
    "scripts": (
        {
            "name": "g",
            "agents": [{**A, "agent_type": "scripted"}, B],
            "edges": [{"from": "a", "to": "b"}],
            "entry_point": "a",
        },
        "'a' is scripted",
    ),
    "variables": ({"name": "a", "variables": [{"name": "v", "type": "date"}]}, "variables.v"),
}


@pytest.mark.parametrize(("config", "why"), WRONG.values(), ids=WRONG.keys())
async def test_what_is_no_configuration_is_named_and_leaves_nothing(
    service: Caller, settings: Settings, config: Json, why: str
) -> None:
    before = await rows(settings)
    for response in (
        await send(service, json.dumps(config), "application/json"),
        await send(service, json.dumps(config), "application/yaml"),
    ):
        status, kind, message = problem(response)
        assert (status, kind) == (400, "invalid_request_error")
        assert why in message or why in str(response.json()["error"]["details"]), message
    assert await rows(settings) == before
